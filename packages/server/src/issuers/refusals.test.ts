/** Tokens that only look like those of a trusted issuer, made from real ones; and what a right one's caller is called. */
import assert from 'node:assert/strict'
import { SignJWT, exportJWK, exportSPKI, generateKeyPair, importJWK, type CryptoKey, type JWK } from 'jose'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { enrol } from '../testing/device.ts'
import { makeKey, openProvider, resource, type TestProvider } from '../testing/provider.ts'
import { checkDialect, checkError } from '../testing/scenarios.ts'
import { expectStatus, hour, minute, runScript, type Answer, type TestServer } from '../testing/server.ts'
import { openTrusting } from '../testing/trusting.ts'

type Claims = Readonly<Record<string, unknown>>

let key: JWK
let otherKey: JWK
let provider: TestProvider
let other: TestProvider
let stranger: TestProvider
let server: TestServer
beforeAll(async () => {
  ;[key, otherKey] = [await makeKey('one'), await makeKey('two')]
  provider = await openProvider([key])
  other = await openProvider([otherKey])
  stranger = await openProvider([await makeKey('one')])
  server = await openTrusting({
    // `console` is a client: its ID tokens are for it.
    contoso: { issuer: provider.issuer, audience: [resource, 'console'] },
    fabrikam: { issuer: other.issuer, audience: ['api://other'] },
  })
})
afterAll(async () => {
  await server.close()
  await Promise.all([provider.stop(), other.stop(), stranger.stop()])
})

const ask = (token: string): Promise<Answer> => server.ask({ method: 'GET', path: '/api/machines', token })
const claimsOf = (token: string): Claims =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Claims
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const rightToken = (): Promise<string> => provider.appToken({ claims: { roles: ['Machine.Read.All'] } })

/** The right claims, with changes, signed by a key; by that of the provider where none is given. */
async function forged(
  changes: Claims = {},
  { by = key, ...header }: { by?: JWK; [name: string]: unknown } = {},
): Promise<string> {
  const claims = { ...claimsOf(await rightToken()), ...changes }
  const signing = await importJWK(by, 'RS256')
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: 'one', ...header })
    .sign(signing, { crit: { 'x-new': true } })
}

async function withThePublicKey(): Promise<string> {
  const { kty = '', n = '', e = '' } = key
  const pem = await exportSPKI((await importJWK({ kty, n, e }, 'RS256', { extractable: true })) as CryptoKey)
  const claims = new SignJWT(claimsOf(await rightToken()))
  return claims.setProtectedHeader({ alg: 'HS256', kid: 'one' }).sign(new TextEncoder().encode(pem))
}

async function withItsOwnKey(): Promise<string> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true })
  const claims = new SignJWT(claimsOf(await rightToken()))
  return claims
    .setProtectedHeader({ alg: 'RS256', kid: 'mine', jwk: await exportJWK(publicKey) })
    .sign(privateKey)
}

async function changed(): Promise<string> {
  const [head = '', , signature = ''] = (await provider.appToken()).split('.')
  return `${head}.${part(claimsOf(await rightToken()))}.${signature}`
}

const now = (): number => Math.floor(server.clock.now.getTime() / 1_000)

const refused: Readonly<Record<string, () => Promise<string>>> = {
  'of an issuer that is not configured': () => stranger.appToken({ claims: { roles: ['Machine.Read.All'] } }),
  'of an issuer with another ending': () => forged({ iss: `${provider.issuer}/` }),
  'with alg none': async () => `${part({ alg: 'none' })}.${part(claimsOf(await rightToken()))}.`,
  'without its signature': async () => (await rightToken()).split('.').slice(0, 2).join('.') + '.',
  'signed with the public key for a secret': withThePublicKey,
  'signed by another trusted issuer': () => forged({}, { by: otherKey, kid: 'two' }),
  'signed by another trusted issuer under this one’s key id': () => forged({}, { by: otherKey }),
  'signed by the key that its header brings along': withItsOwnKey,
  'signed by the key that its header leads to': () =>
    forged({}, { by: otherKey, kid: 'two', jku: `${other.issuer}/jwks` }),
  'whose claims were changed': changed,
  'of a type that is for something else': () => forged({}, { typ: 'logout+jwt' }),
  'with a header extension that nobody knows': () => forged({}, { crit: ['x-new'], 'x-new': 1 }),
  'that has expired': () => forged({ exp: now() - 31 }),
  'that does not count yet': () => forged({ nbf: now() + 31 }),
  'that never expires': () => forged({ exp: undefined }),
  'of nobody': () => forged({ sub: undefined }),
  'that names no application': () => forged({ client_id: undefined }),
  'whose application has no name to write': () => forged({ client_id: 'a\u0000b', sub: 'x' }),
  'that is bound to a key of its holder': () => forged({ cnf: { jkt: 'x' } }),
  'that is an ID token, as the provider makes them': async () =>
    (await provider.userTokens('ann', { scope: 'Machine.Read' })).id_token ?? '',
  'that is an ID token and names an application': () =>
    forged({ aud: 'console', azp: 'console', at_hash: 'x', scope: 'Machine.Read' }, { typ: 'JWT' }),
  'that is an ID token of Keycloak': () => forged({ typ: 'ID' }, { typ: 'JWT' }),
  'that is a refresh token of Keycloak': () => forged({ typ: 'Refresh' }, { typ: 'JWT' }),
}

describe('a token is refused with 401', () => {
  test.each(Object.entries(refused))('%s', async (_, make) => {
    const token = await make()
    assert.ok(token.split('.').length === 3)
    const before = server.history.last()
    const answer = await ask(token)
    assert.equal(answer.status, 401, answer.text)
    checkDialect(answer)
    checkError(answer, 'Unauthorized')
    assert.equal(answer.headers['www-authenticate'], 'Bearer')
    assert.equal(server.history.last(), before)
  })
})

describe('a token is accepted', () => {
  test.each<[string, () => Promise<string>]>([
    ['as the provider makes it', rightToken],
    ['with the changes that the others have, and none of them', () => forged()],
    ['with the type that Entra and Keycloak write', () => forged({ typ: 'Bearer' }, { typ: 'JWT' })],
    ['without a type', () => forged({}, { typ: undefined })],
    ['for several audiences', () => forged({ aud: ['api://nobody', resource] })],
    ['a moment after its end', () => forged({ exp: now() - 20 })],
  ])('%s', async (_, make) => {
    expectStatus(200, await ask(await make()))
  })

  test('until it expires', async () => {
    const token = await rightToken()
    const { now: before } = server.clock
    server.clock.pass(9 * minute)
    const during = (await ask(token)).status
    server.clock.pass(hour)
    const after = (await ask(token)).status
    server.clock.now = before
    assert.deepEqual([during, after], [200, 401])
  })
})

test.each([
  ['of the right issuer', 'api://other'],
  ['where another issuer’s may be for it', 'api://other'],
  ['that begins like ours', `${resource}/more`],
  ['that our own tokens may be for', 'https://api.securitycenter.microsoft.com'],
])('a token for another audience, %s, is refused with 403', async (_, audience) => {
  const token = await provider.appToken({ audience, claims: { roles: ['Machine.Read.All'] } })
  const answer = await ask(token)
  assert.equal(answer.status, 403, answer.text)
  checkDialect(answer)
  checkError(answer, 'Forbidden', `The token was issued for another audience: ${audience}.`)
})

describe('which tokens are of a user and which of an application', () => {
  const app = { roles: ['Machine.Read.All'] }
  const ids = { client_id: undefined, azp: 'a-client', sub: 'a-pairwise-id' }

  test.each<[string, number, Claims]>([
    ['Entra’s of an application', 200, { ...ids, ...app, oid: 'a-pairwise-id' }],
    ['Entra’s v1 of an application', 200, { ...app, azp: undefined, appid: 'a-client', oid: 'o', sub: 'o' }],
    ['one that says that it is an application’s', 200, { ...ids, ...app, idtyp: 'app', scope: 'email' }],
    ['Entra’s of a user', 200, { ...ids, oid: 'an-id', scp: 'Machine.Scan Machine.Read' }],
    ['scopes as a list', 200, { ...ids, scp: ['Machine.Scan', 'Machine.Read'] }],
    ['a user with roles of an application', 403, { ...ids, ...app, oid: 'an-id', scp: 'Machine.Scan' }],
    ['a user with roles who says to be one', 403, { ...ids, ...app, idtyp: 'user' }],
    ['a user with roles and no scope', 403, { ...ids, ...app, oid: 'an-id' }],
    ['a user with roles and scopes, called an application', 403, { ...ids, ...app, scp: 'x', idtyp: 'app' }],
    ['an application with a user’s permission', 403, { roles: ['Machine.Read'] }],
    ['a user with an application’s permission', 403, { ...ids, scp: 'Machine.Read.All' }],
    ['a permission within another word', 403, { ...ids, scp: 'api://x/Machine.Read' }],
    ['roles that are one text', 403, { roles: 'Machine.Scan Machine.Read.All' }],
    ['no permission', 403, { roles: undefined }],
  ])('%s: %i', async (_, status, claims) => {
    assert.equal((await ask(await forged(claims))).status, status)
  })
})

/** As the requestor of an action that it asks for. */
async function requestor(token: string): Promise<unknown> {
  const device = await enrol(server)
  const body = { Comment: 'case 17', Commands: [runScript('run.sh')] }
  const path = `/api/machines/${device.machineId}/runliveresponse`
  const action = expectStatus(
    201,
    await server.ask<{ requestor: string }>({ method: 'POST', path, body, token }),
  )
  return action.requestor
}
describe('a caller is called', () => {
  beforeAll(() => server.upload('run.sh'))
  const asUser = async (claims: Claims): Promise<unknown> =>
    requestor((await provider.userTokens('ann', { scope: 'Machine.LiveResponse', claims })).access_token)

  test.each<[string, Claims, string]>([
    [
      'by the user principal name',
      { upn: 'ann@contoso.example', email: 'a@x' },
      'ann@contoso.example (contoso)',
    ],
    ['by the user name', { preferred_username: 'ann', email: 'a@x', name: 'Root' }, 'ann (contoso)'],
    ['by the address', { email: 'ann@contoso.example', name: 'Root' }, 'ann@contoso.example (contoso)'],
    [
      'by the subject where the address is a claim',
      { email: 'root@x', email_verified: false },
      'ann (contoso)',
    ],
    ['by the subject, never by a display name', { name: 'first application' }, 'ann (contoso)'],
    ['by the subject where the name cannot be written', { upn: 'a\nb' }, 'ann (contoso)'],
    ['like no application of ours', { upn: 'first application' }, 'first application (contoso)'],
  ])('%s', async (_, claims, name) => {
    assert.equal(await asUser(claims), name)
  })

  test('by its client id, if it is an application', async () => {
    const token = await provider.appToken({ claims: { roles: ['Machine.LiveResponse'] } })
    assert.equal(await requestor(token), 'playbook (contoso)')
  })
})

test('limits count by issuer and application; an id of ours, written by another issuer, is another', async () => {
  const flags = ['--limits', 'read=2/-', '--sessions', '-', '--settle-ms', '0']
  const trusted = {
    contoso: { issuer: provider.issuer, audience: [resource] },
    fabrikam: { issuer: other.issuer, audience: [resource] },
  }
  const limited = await openTrusting(trusted, { flags })
  const statusOf = async (token: string): Promise<number> =>
    (await limited.ask({ method: 'GET', path: '/api/machines', token })).status
  const claims = { roles: ['Machine.Read.All'] }
  const ours = await limited.client(['Machine.Read.All'])
  const [ann, bob] = await Promise.all(
    ['ann', 'bob'].map((user) => provider.userTokens(user, { scope: 'Machine.Read' })),
  )
  const posing = await forged({ client_id: ours.id, sub: ours.id })
  const seen = [
    await statusOf(ann?.access_token ?? ''),
    await statusOf(bob?.access_token ?? ''),
    // The client of both has had its two.
    await statusOf(ann?.access_token ?? ''),
    await statusOf(await provider.appToken({ claims })),
    await statusOf(await other.appToken({ claims })),
    await statusOf(await provider.appToken({ claims })),
    await statusOf(await provider.appToken({ claims })),
    await statusOf(await other.appToken({ claims })),
    await statusOf(posing),
    await statusOf(posing),
    await statusOf(posing),
    await statusOf(await limited.tokenOf(ours)),
  ]
  await limited.close()
  assert.deepEqual(seen, [200, 200, 429, 200, 200, 200, 429, 200, 200, 200, 429, 200])
})
