/**
 * Every operation against tokens of a real OpenID Connect provider: an application's roles are checked against the application column of
 * `wire.md` 1, a user's scopes against the delegated one. At its end what is ours.
 */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { operations } from '@countermand/contract'
import { makeKey, openProvider, resource, type TestProvider } from '../testing/provider.ts'
import { checkDialect, checkError } from '../testing/scenarios.ts'
import type { Answer, Asked, TestServer } from '../testing/server.ts'
import { openTrusting } from '../testing/trusting.ts'

interface Columns {
  readonly app: readonly string[]
  readonly delegated: readonly string[]
  /** What an application needs besides (`wire.md` 1.2, U7). */
  readonly appToo?: string
}
type Row = readonly [method: Asked['method'], path: string, columns: Columns]

const both = (name: string): Columns => ({ app: [name], delegated: [name] })
const id = '00000000-0000-4000-8000-000000000000'
const read: Columns = {
  app: ['Machine.Read.All', 'Machine.ReadWrite.All'],
  delegated: ['Machine.Read', 'Machine.ReadWrite'],
}
const write: Columns = { app: ['Machine.ReadWrite.All'], delegated: ['Machine.ReadWrite'] }
const alerts: Columns = {
  app: ['Alert.Read.All', 'Alert.ReadWrite.All'],
  delegated: ['Alert.Read', 'Alert.ReadWrite'],
}
const respond = [
  'Machine.CollectForensics',
  'Machine.Isolate',
  'Machine.RestrictExecution',
  'Machine.Scan',
  'Machine.Offboard',
  'Machine.StopAndQuarantine',
  'Machine.LiveResponse',
]
const administer = both('Countermand.Administer')

const rows: readonly Row[] = [
  ['GET', '/api/machineactions', read],
  ['GET', '/api/machineactions/$count', read],
  ['GET', `/api/machineactions/${id}`, read],
  ['POST', `/api/machineactions/${id}/cancel`, { app: respond, delegated: respond }],
  ['GET', `/api/machineactions/${id}/getPackageUri`, { ...read, delegated: ['Machine.CollectForensics'] }],
  [
    'GET',
    `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=0)`,
    { ...read, delegated: ['Machine.LiveResponse'] },
  ],
  ['POST', '/api/machines/x/collectInvestigationPackage', both('Machine.CollectForensics')],
  ['POST', '/api/machines/x/runliveresponse', both('Machine.LiveResponse')],
  ['POST', '/api/machines/x/runAntiVirusScan', both('Machine.Scan')],
  ['POST', '/api/machines/x/isolate', both('Machine.Isolate')],
  ['POST', '/api/machines/x/unisolate', both('Machine.Isolate')],
  ['POST', '/api/machines/x/restrictCodeExecution', both('Machine.RestrictExecution')],
  ['POST', '/api/machines/x/unrestrictCodeExecution', both('Machine.RestrictExecution')],
  ['POST', '/api/machines/x/offboard', both('Machine.Offboard')],
  [
    'POST',
    '/api/machines/x/StopAndQuarantineFile',
    { ...both('Machine.StopAndQuarantine'), appToo: 'Machine.Read.All' },
  ],
  ['GET', '/api/machines', read],
  ['GET', '/api/machines/$count', read],
  ['GET', '/api/machines/x', read],
  ['GET', "/api/machines/findbyip(ip='192.0.2.17',timestamp=2026-02-03T04:05:06Z)", read],
  ['GET', "/api/machines/find(timestamp=2026-02-03T04:05:06Z,key='192.0.2.17')", read],
  ['GET', '/api/machines/findbytag?tag=x', read],
  ['GET', '/api/machines/x/logonusers', both('User.Read.All')],
  ['PATCH', '/api/machines/x', write],
  ['POST', '/api/machines/x/tags', write],
  ['POST', '/api/machines/AddOrRemoveTagForMultipleMachines', write],
  ['POST', '/api/machines/x/setDeviceValue', write],
  ['GET', '/api/alerts', alerts],
  ['GET', '/api/alerts/$count', alerts],
  ['GET', '/api/machines/x/alerts', alerts],
  ['GET', '/api/machines/x/alerts/$count', alerts],
  ['GET', '/api/libraryfiles', both('Library.Manage')],
  ['POST', '/api/libraryfiles', both('Library.Manage')],
  ['DELETE', '/api/libraryfiles/x', both('Library.Manage')],
  ['GET', '/api/countermand/events?follow=false', read],
  ['GET', `/api/countermand/actions/${id}/events`, read],
  ['GET', '/api/countermand/applications', administer],
  ['POST', '/api/countermand/applications', administer],
  ['GET', `/api/countermand/applications/${id}`, administer],
  ['PATCH', `/api/countermand/applications/${id}`, administer],
  ['POST', `/api/countermand/applications/${id}/secrets`, administer],
  ['DELETE', `/api/countermand/applications/${id}/secrets/${id}`, administer],
  ['GET', '/api/countermand/enrolmenttokens', administer],
  ['POST', '/api/countermand/enrolmenttokens', administer],
  ['DELETE', `/api/countermand/enrolmenttokens/${id}`, administer],
  ['GET', '/api/countermand/devices', administer],
  ['GET', '/api/countermand/devices/x', administer],
  ['PATCH', '/api/countermand/devices/x', administer],
  ['POST', '/api/countermand/devices/x/retire', administer],
  ['POST', '/api/countermand/devices/x/revokekey', administer],
]
const everyName = [...new Set(rows.flatMap(([, , { app, delegated }]) => [...app, ...delegated]))]
const allBut = (names: readonly string[]): readonly string[] =>
  everyName.filter((name) => !names.includes(name))

let provider: TestProvider
let server: TestServer
beforeAll(async () => {
  provider = await openProvider([await makeKey('one')])
  server = await openTrusting({ contoso: { issuer: provider.issuer, audience: [resource] } })
})
afterAll(async () => {
  await server.close()
  await provider.stop()
})

/** Signing in takes a while, and the token is the same. */
const tokens = new Map<string, Promise<string>>()
function kept(key: string, make: () => Promise<string>): Promise<string> {
  const token = tokens.get(key) ?? make()
  tokens.set(key, token)
  return token
}
const ofUser = (scopes: readonly string[], roles: readonly string[] = []): Promise<string> =>
  kept(`user ${scopes.join()} ${roles.join()}`, async () => {
    const wish = { scope: scopes.join(' '), claims: roles.length === 0 ? {} : { roles } }
    return (await provider.userTokens('ann', wish)).access_token
  })
const ofApp = (roles: readonly string[], scopes: readonly string[] = []): Promise<string> =>
  kept(`app ${roles.join()} ${scopes.join()}`, () =>
    provider.appToken({ claims: { roles }, ...(scopes.length > 0 && { scope: scopes.join(' ') }) }),
  )

function checkLetThrough(answer: Answer): void {
  assert.ok(![401, 403, 500, 503].includes(answer.status), answer.text)
}

function checkForbidden(answer: Answer, message: string): void {
  assert.equal(answer.status, 403, answer.text)
  checkDialect(answer)
  checkError(answer, 'Forbidden', message)
}

describe.each(rows)('%s %s', (method, path, { app, delegated, appToo }) => {
  const userLacks = `The user does not have any of the required delegated permissions (${delegated.join(', ')}) to access the resource.`
  const appLacks = `The application does not have any of the required application permissions (${app.join(', ')}) to access the resource.`
  const besides = appToo === undefined ? [] : [appToo]

  test.each(delegated)('lets a user with the scope %s alone through', async (name) => {
    checkLetThrough(await server.ask({ method, path, token: await ofUser([name]) }))
  })

  test.each(app)('lets an application with the role %s through', async (name) => {
    checkLetThrough(await server.ask({ method, path, token: await ofApp([name, ...besides]) }))
  })

  test('refuses a user with every other scope, application permissions among them', async () => {
    const token = await ofUser(allBut(delegated))
    checkForbidden(await server.ask({ method, path, token }), userLacks)
  })

  test('refuses a user whose roles would do', async () => {
    const token = await ofUser(['Library.Nothing'], everyName)
    checkForbidden(await server.ask({ method, path, token }), userLacks)
  })

  test('refuses an application with every other role, delegated permissions among them', async () => {
    const token = await ofApp(allBut(app))
    checkForbidden(await server.ask({ method, path, token }), appLacks)
  })

  test('refuses an application whose scopes would do', async () => {
    const token = await ofApp([], everyName)
    checkForbidden(await server.ask({ method, path, token }), appLacks)
  })
})

test('an application needs both of two permissions, a user the one', async () => {
  const asked = { method: 'POST', path: '/api/machines/x/StopAndQuarantineFile' } as const
  const token = await ofApp(['Machine.StopAndQuarantine'])
  checkForbidden(
    await server.ask({ ...asked, token }),
    'The application does not have any of the required application permissions (Machine.Read.All, Machine.ReadWrite.All) to access the resource.',
  )
  checkLetThrough(await server.ask({ ...asked, token: await ofUser(['Machine.StopAndQuarantine']) }))
})

test('the table names every operation that there is', () => {
  assert.equal(rows.length, Object.keys(operations).length, Object.keys(operations).join(', '))
})
