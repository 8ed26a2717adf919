import assert from 'node:assert/strict'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from 'jose'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { checkDialect, checkError } from '../../testing/scenarios.ts'
import { openServer, type Answer, type TestServer } from '../../testing/server.ts'

let server: TestServer
let tenant: string
beforeAll(async () => {
  server = await openServer({ flags: ['--trusted-proxies', '127.0.0.1'] })
  tenant = server.app.identity.tenantId
})
afterAll(() => server.close())

const get = <Body>(path: string): Promise<Answer<Body>> => server.ask<Body>({ method: 'GET', path })
const pathIn = (url: unknown): string => new URL(String(url)).pathname

describe.each(['', '/v2.0'])('the discovery document of %j', (version) => {
  const path = (of: string): string => `/${of}${version}/.well-known/openid-configuration`

  test('of a tenant that is not ours is 404', async () => {
    const answer = await get(path('00000000-0000-4000-8000-000000000000'))
    assert.equal(answer.status, 404, answer.text)
    checkDialect(answer)
    checkError(answer, 'NotFound')
  })

  test('names the issuer that tokens name, and endpoints on the host that was asked', async () => {
    const answer = await get<Record<string, unknown>>(path(tenant))
    assert.equal(answer.status, 200)
    checkDialect(answer)
    const { issuer, token_endpoint: endpoint, jwks_uri: keys } = answer.body
    assert.equal(issuer, `https://sts.windows.net/${tenant}/`)
    assert.equal(endpoint, `http://localhost:80/${tenant}/oauth2${version}/token`)
    assert.match(String(keys), /^http:\/\/localhost:80\//)
  })

  test.each([
    ['the public name', { host: 'countermand.example' }, 'https://countermand.example'],
    ['the public name in other letters', { host: 'Countermand.Example' }, 'https://countermand.example'],
    [
      'another name',
      { host: 'login.microsoftonline.com', 'x-forwarded-proto': 'https' },
      'https://login.microsoftonline.com',
    ],
    ['a name without TLS', { host: 'x.example', 'x-forwarded-proto': 'http' }, 'http://x.example'],
    ['what is no scheme', { host: 'x.example', 'x-forwarded-proto': 'httpsx' }, 'http://x.example'],
  ])('leads back through a proxy that ends TLS and was asked for %s', async (_, headers, base) => {
    const { body } = await server.ask<Record<string, unknown>>({ method: 'GET', path: path(tenant), headers })
    assert.equal(body.token_endpoint, `${base}/${tenant}/oauth2${version}/token`)
  })

  test('has what OpenID Connect Discovery requires, which token clients look for', async () => {
    const { body } = await get<Record<string, unknown>>(path(tenant))
    for (const name of ['issuer', 'authorization_endpoint', 'token_endpoint', 'jwks_uri']) {
      assert.equal(typeof body[name], 'string', name)
    }
    for (const name of [
      'response_types_supported',
      'subject_types_supported',
      'id_token_signing_alg_values_supported',
    ]) {
      assert.ok(Array.isArray(body[name]), name)
    }
  })

  test('leads to a token, and to the key that it verifies with', async () => {
    const { body } = await get<Record<string, unknown>>(path(tenant))
    const client = await server.client(['Machine.Read.All'])
    const form = { grant_type: 'client_credentials', client_id: client.id, client_secret: client.secret }
    const asked = { ...form, resource: 'https://api.security.microsoft.com' }
    const { body: granted } = await server.ask<{ access_token: string }>({
      method: 'POST',
      path: pathIn(body.token_endpoint),
      body: new URLSearchParams(asked).toString(),
    })
    const keys = await get<JSONWebKeySet>(pathIn(body.jwks_uri))
    checkDialect(keys)
    const { payload, protectedHeader } = await jwtVerify(granted.access_token, createLocalJWKSet(keys.body), {
      issuer: String(body.issuer),
      audience: asked.resource,
      currentDate: server.clock.now,
    })
    assert.equal(payload.appid, client.id)
    assert.equal(protectedHeader.alg, 'RS256')
  })

  test('is found in any case and with a slash at its end', async () => {
    assert.equal((await get(`${path(tenant.toUpperCase()).toUpperCase()}/`)).status, 200)
  })
})

describe.each(['/discovery/keys', '/discovery/v2.0/keys'])('the keys at %s', (path) => {
  test('of a tenant that is not ours are 404', async () => {
    const answer = await get(`/x${path}`)
    assert.equal(answer.status, 404, answer.text)
    checkDialect(answer)
  })

  test('are public halves, with the id that tokens name', async () => {
    const { body } = await get<JSONWebKeySet>(`/${tenant}${path}`)
    assert.ok(body.keys.length > 0)
    for (const key of body.keys) {
      assert.deepEqual([key.kty, key.use, key.alg], ['RSA', 'sig', 'RS256'])
      for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.ok(!(secret in key), secret)
    }
    const { kid } = decodeProtectedHeader(await server.token('Machine.Read.All'))
    assert.ok(body.keys.some((key) => key.kid === kid))
  })
})

test('the key that signs orders is not among them', async () => {
  const { body } = await get<JSONWebKeySet>(`/${tenant}/discovery/keys`)
  assert.ok(body.keys.every(({ kid }) => kid !== server.app.signer.orderThumbprint))
})

/** What MSAL asks first (`wire.md` 18). */
describe('the discovery of instances', () => {
  test.each([
    '/common/discovery/instance',
    `/common/discovery/instance?api-version=1.1&authorization_endpoint=x`,
  ])('at %s leads to the document of the tenant', async (path) => {
    const answer = await get<Record<string, unknown>>(path)
    assert.equal(answer.status, 200, answer.text)
    checkDialect(answer)
    const { tenant_discovery_endpoint: endpoint } = answer.body
    assert.equal(typeof endpoint, 'string')
    assert.match(String(endpoint), /\.well-known\/openid-configuration$/)
  })
})
