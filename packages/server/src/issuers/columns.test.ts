/**
 * Every operation against tokens of a real OpenID Connect provider: an application's roles are checked against the application column of
 * `wire.md` 1, a user's scopes against the delegated one. At its end what is ours.
 */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { operations } from '@countermand/contract'
import { permissionTable } from '../testing/permission-table.ts'
import { makeKey, openProvider, resource, type TestProvider } from '../testing/provider.ts'
import { checkDialect, checkError } from '../testing/scenarios.ts'
import type { Answer, TestServer } from '../testing/server.ts'
import { openTrusting } from '../testing/trusting.ts'

const everyName = [...new Set(permissionTable.flatMap(([, , { app, delegated }]) => [...app, ...delegated]))]
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

describe.each(permissionTable)('%s %s', (method, path, { app, delegated, appToo = [] }) => {
  const userLacks = `The user does not have any of the required delegated permissions (${delegated.join(', ')}) to access the resource.`
  const appLacks = `The application does not have any of the required application permissions (${app.join(', ')}) to access the resource.`

  test.each(delegated)('lets a user with the scope %s alone through', async (name) => {
    checkLetThrough(await server.ask({ method, path, token: await ofUser([name]) }))
  })

  test.each(app)('lets an application with the role %s through', async (name) => {
    checkLetThrough(await server.ask({ method, path, token: await ofApp([name, ...appToo]) }))
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
  assert.equal(permissionTable.length, Object.keys(operations).length, Object.keys(operations).join(', '))
})
