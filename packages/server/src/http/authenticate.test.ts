/** Every operation that there is, against every kind of token that is none. The table is `wire.md` 1, and at its end what is ours. */
import assert from 'node:assert/strict'
import { SignJWT, exportSPKI, generateKeyPair, importJWK, type CryptoKey, type JWK } from 'jose'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { operations } from '@countermand/contract'
import { permissionTable } from '../testing/permission-table.ts'
import { checkDialect, checkError } from '../testing/scenarios.ts'
import {
  expectStatus,
  hour,
  minute,
  openServer,
  type Answer,
  type Asked,
  type Client,
  type TestServer,
} from '../testing/server.ts'

/** The column of applications. */
const rows = permissionTable.map(
  ([method, path, { app, appToo = [] }]) => [method, path, app, appToo] as const,
)
const everyPermission = [...new Set(rows.flatMap(([, , permissions]) => permissions))]

let server: TestServer
beforeAll(async () => {
  server = await openServer()
})
afterAll(() => server.close())

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Claims that are right in everything. */
const rightClaims = async (): Promise<Record<string, unknown>> =>
  claimsOf(await server.token(...everyPermission))

const publishedKey = async (): Promise<JWK> => {
  const path = `/${server.app.identity.tenantId}/discovery/v2.0/keys`
  const { body } = await server.ask<{ keys: JWK[] }>({ method: 'GET', path })
  const [key] = body.keys
  assert.ok(key)
  return key
}

async function unsigned(alg: string): Promise<string> {
  return `Bearer ${part({ alg, typ: 'JWT' })}.${part(await rightClaims())}.`
}

async function signedByAnother(): Promise<string> {
  const { privateKey } = await generateKeyPair('RS256')
  const { kid = '' } = await publishedKey()
  const claims = await rightClaims()
  return `Bearer ${await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid }).sign(privateKey)}`
}

/** The public key is no secret: whoever takes it for one lets everybody in. */
async function signedWithThePublicKey(): Promise<string> {
  const key = await publishedKey()
  const pem = await exportSPKI((await importJWK(key, 'RS256', { extractable: true })) as CryptoKey)
  const header = { alg: 'HS256', ...(key.kid !== undefined && { kid: key.kid }) }
  const claims = new SignJWT(await rightClaims()).setProtectedHeader(header)
  return `Bearer ${await claims.sign(new TextEncoder().encode(pem))}`
}

/** Somebody else's claims over a signature that is ours. */
async function changed(): Promise<string> {
  const [head = '', , signature = ''] = (await server.token('User.Read.All')).split('.')
  return `Bearer ${head}.${part(await rightClaims())}.${signature}`
}

async function expired(): Promise<string> {
  const { now } = server.clock
  server.clock.now = new Date(now.getTime() - 2 * hour)
  const token = await server.tokenOf(await server.client(everyPermission))
  server.clock.now = now
  return `Bearer ${token}`
}

/** As an administrator does, who is another application. */
async function change(client: Client, body: object): Promise<void> {
  const path = `/api/countermand/applications/${client.id}`
  const token = await server.token('Countermand.Administer')
  expectStatus(200, await server.ask({ method: 'PATCH', path, token, body }))
}

/** It was good a moment ago, and is remembered by the server. */
async function ofDisabled(): Promise<string> {
  const client = await server.client(everyPermission)
  const authorization = `Bearer ${await server.tokenOf(client)}`
  expectStatus(200, await sent('GET', '/api/machines', authorization))
  await change(client, { enabled: false })
  return authorization
}

const none: Readonly<Record<string, () => Promise<string | null>>> = {
  'no token': () => Promise.resolve(null),
  'another scheme': async () => `Basic ${await server.token(...everyPermission)}`,
  'a token without its scheme': () => server.token(...everyPermission),
  garbage: () => Promise.resolve('Bearer garbage'),
  'garbage in three parts': () => Promise.resolve('Bearer a.b.c'),
  'a token with alg none': () => unsigned('none'),
  'a token with alg None': () => unsigned('None'),
  'an RS256 token without signature': () => unsigned('RS256'),
  'a token that another key has signed': signedByAnother,
  'an HS256 token with the public key for a secret': signedWithThePublicKey,
  'a token whose claims were changed': changed,
  'a token that has expired': expired,
  'a token of an application that was disabled since': ofDisabled,
}

const sent = (method: Asked['method'], path: string, authorization: string | null): Promise<Answer> =>
  server.ask({ method, path, headers: authorization === null ? {} : { authorization } })

describe.each(rows)('%s %s', (method, path, permissions, besides) => {
  test.each(Object.entries(none))('refuses %s with 401', async (_, make) => {
    const authorization = await make()
    const before = server.history.last()
    const answer = await sent(method, path, authorization)
    assert.equal(answer.status, 401, answer.text)
    checkDialect(answer)
    checkError(answer, 'Unauthorized')
    assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer/)
    assert.equal(server.history.last(), before)
  })

  test('refuses a token for another audience with 403', async () => {
    const { tenantId } = server.app.identity
    const claims = { ...(await rightClaims()), aud: 'https://graph.microsoft.com', tid: tenantId }
    const token = await server.app.signer.signToken(claims, hour, server.clock.now)
    const answer = await sent(method, path, `Bearer ${token}`)
    assert.equal(answer.status, 403, answer.text)
    checkDialect(answer)
    checkError(answer, 'Forbidden')
  })

  test('refuses every other permission with 403, in the words that clients match on', async () => {
    const others = [
      ...everyPermission,
      'User.Read.All',
      'Machine.Read',
      'Alert.Read',
      'Alert.ReadWrite',
      'Machine.ReadWrite',
      'Countermand.Force',
    ]
    const token = await server.token(...others.filter((name) => !permissions.includes(name)))
    const answer = await sent(method, path, `Bearer ${token}`)
    assert.equal(answer.status, 403, answer.text)
    checkDialect(answer)
    const names = permissions.join(', ')
    checkError(
      answer,
      'Forbidden',
      `The application does not have any of the required application permissions (${names}) to access the resource.`,
    )
  })

  test('refuses with 403 what was taken from the application since it got its token', async () => {
    const client = await server.client([...permissions, ...besides])
    const authorization = `Bearer ${await server.tokenOf(client)}`
    const before = await sent(method, path, authorization)
    assert.ok(before.status !== 401 && before.status !== 403, before.text)
    await change(client, {
      permissions: ['User.Read.All', 'Countermand.Force'].filter((name) => !permissions.includes(name)),
    })
    const answer = await sent(method, path, authorization)
    assert.equal(answer.status, 403, answer.text)
    checkError(answer, 'Forbidden', [
      /^The application does not have any of the required application permissions/,
    ])
  })

  test.each(permissions)('lets %s alone through', async (permission) => {
    const answer = await sent(method, path, `Bearer ${await server.token(permission, ...besides.slice(-1))}`)
    assert.ok(answer.status !== 401 && answer.status !== 403, answer.text)
    checkDialect(answer)
  })

  test('reads the scheme in any case', async () => {
    const answer = await sent(method, path, `bEARER ${await server.token(...permissions, ...besides)}`)
    assert.ok(answer.status !== 401 && answer.status !== 403, answer.text)
  })
})

test.each(rows.filter(([, , , besides]) => besides.length > 0))(
  '%s %s asks for the second permission after the first, and names that',
  async (method, path, permissions, besides) => {
    const answer = await sent(method, path, `Bearer ${await server.token(...permissions)}`)
    assert.equal(answer.status, 403, answer.text)
    const names = besides.join(', ')
    checkError(
      answer,
      'Forbidden',
      `The application does not have any of the required application permissions (${names}) to access the resource.`,
    )
  },
)

describe('a token', () => {
  test('is good until its hour is over, and not a moment longer', async () => {
    const { now } = server.clock
    const token = await server.tokenOf(await server.client(['Machine.Read.All']))
    const statusAfter = async (ms: number): Promise<number> => {
      server.clock.now = new Date(now.getTime() + ms)
      return (await sent('GET', '/api/machines', `Bearer ${token}`)).status
    }
    const seen = [
      await statusAfter(0),
      await statusAfter(59 * minute),
      // Its claims count in whole seconds, so the last second of the hour may be missing.
      await statusAfter(hour - 1_000 - 1_000),
      await statusAfter(hour),
    ]
    server.clock.now = now
    assert.deepEqual(seen, [200, 200, 200, 401])
  })

  test('lets nobody in before the time from which it counts', async () => {
    const later = new Date(server.clock.now.getTime() + 10 * minute)
    const token = await server.app.signer.signToken(await rightClaims(), hour, later)
    assert.equal((await sent('GET', '/api/machines', `Bearer ${token}`)).status, 401)
  })

  test('of another server is refused', async () => {
    const other = await openServer({ ownKeys: true })
    const token = await other.token('Machine.Read.All')
    await other.close()
    assert.equal((await sent('GET', '/api/machines', `Bearer ${token}`)).status, 401)
  })

  test('of another tenant by the same key is refused', async () => {
    const other = await openServer()
    assert.notEqual(other.app.identity.tenantId, server.app.identity.tenantId)
    const token = await other.token('Machine.Read.All')
    await other.close()
    assert.equal((await sent('GET', '/api/machines', `Bearer ${token}`)).status, 401)
  })
})

test('the table names every operation that there is', () => {
  assert.equal(rows.length, Object.keys(operations).length, Object.keys(operations).join(', '))
})
