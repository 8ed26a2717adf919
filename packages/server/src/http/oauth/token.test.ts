import assert from 'node:assert/strict'
import { afterAll, beforeAll, beforeEach, describe, test } from 'vitest'
import { enrol } from '../../testing/device.ts'
import {
  minute,
  openServer,
  publicUrl,
  type Answer,
  type Asked,
  type Client,
  type TestServer,
} from '../../testing/server.ts'

let server: TestServer
let client: Client
let tenant: string
beforeAll(async () => {
  server = await openServer()
  client = await server.client(['Machine.Read.All', 'Machine.Isolate'], 'a playbook')
  tenant = server.app.identity.tenantId
})
afterAll(() => server.close())
/** What has failed before is forgotten. */
beforeEach(() => server.clock.pass(15 * minute))

const resource = 'https://api.securitycenter.microsoft.com'
const labelled = { 'content-type': 'application/x-www-form-urlencoded' }

type Fields = Readonly<Record<string, string | undefined>>
const v1 = (more: Fields = {}): Fields => ({
  grant_type: 'client_credentials',
  client_id: client.id,
  client_secret: client.secret,
  resource,
  ...more,
})
const v2 = (more: Fields = {}): Fields => v1({ resource: undefined, scope: `${resource}/.default`, ...more })

const encoded = (fields: Fields): string =>
  new URLSearchParams(
    Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined),
  ).toString()

const pathOf = (version: '' | 'v2.0/', of = tenant): string => `/${of}/oauth2/${version}token`
const request = (path: string, fields: Fields, more: Partial<Asked> = {}): Promise<Answer> =>
  server.ask({ method: 'POST', path, headers: labelled, body: encoded(fields), ...more })

interface Granted {
  readonly token_type: string
  readonly expires_in: number
  readonly ext_expires_in: number
  readonly access_token: string
}
const claimsIn = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>

function granted(answer: Answer): { token: string; claims: Record<string, unknown> } {
  assert.equal(answer.status, 200, answer.text)
  assert.match(answer.headers['content-type'] ?? '', /^application\/json/)
  assert.match(answer.headers['cache-control'] ?? '', /no-store/)
  const { access_token: token, ...rest } = answer.body as Granted
  assert.deepEqual(rest, { token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599 })
  return { token, claims: claimsIn(token) }
}

/** RFC 6749 5.2: a word in `error`, a sentence in `error_description`; never a token. */
function refused(answer: Answer, status: number, error: string): void {
  assert.equal(answer.status, status, answer.text)
  assert.match(answer.headers['content-type'] ?? '', /^application\/json/)
  const body = answer.body as Record<string, unknown>
  assert.equal(body.error, error, answer.text)
  assert.equal(typeof body.error_description, 'string')
  assert.ok(!('access_token' in body))
  assert.ok(!answer.text.includes(client.secret))
}

describe('no token is given', () => {
  test.each(['wrong', ''])('for the secret %j', async (secret) => {
    refused(await request(pathOf('v2.0/'), v2({ client_secret: secret })), 401, 'invalid_client')
    refused(await request(pathOf(''), v1({ client_secret: secret })), 401, 'invalid_client')
  })

  test('for the digest of the secret', async () => {
    const fields = v2({ client_secret: server.app.digest(client.secret) })
    refused(await request(pathOf('v2.0/'), fields), 401, 'invalid_client')
  })

  test('for an application that is not known', async () => {
    const fields = v2({ client_id: '00000000-0000-4000-8000-000000000000' })
    refused(await request(pathOf('v2.0/'), fields), 401, 'invalid_client')
  })

  test('for another application’s secret', async () => {
    const other = await server.client(['Machine.Read.All'])
    refused(await request(pathOf('v2.0/'), v2({ client_secret: other.secret })), 401, 'invalid_client')
  })

  test('for a wrong secret in a Basic header', async () => {
    const authorization = `Basic ${Buffer.from(`${client.id}:wrong`).toString('base64')}`
    const fields = v2({ client_id: undefined, client_secret: undefined })
    const answer = await request(pathOf('v2.0/'), fields, { headers: { ...labelled, authorization } })
    refused(answer, 401, 'invalid_client')
  })

  test.each(['00000000-0000-4000-8000-000000000000', 'contoso.example', 'x'])(
    'for the tenant %s, which is not ours',
    async (other) => refused(await request(pathOf('v2.0/', other), v2()), 400, 'invalid_request'),
  )

  test.each(['password', 'authorization_code', 'refresh_token', 'CLIENT_CREDENTIALS', 'x'])(
    'for the grant %s',
    async (grant) => {
      const fields = v2({ grant_type: grant, username: 'ann', password: 'x' })
      refused(await request(pathOf('v2.0/'), fields), 400, 'unsupported_grant_type')
    },
  )

  test.each([
    'https://graph.microsoft.com',
    'https://api.securitycenter.microsoft.com.example',
    'https://api-xx.securitycenter.microsoft.com',
    'https://example.org',
    'api.securitycenter.microsoft.com',
  ])('for the resource %s, which is not this API', async (other) => {
    const before = server.history.last()
    refused(await request(pathOf(''), v1({ resource: other })), 400, 'invalid_scope')
    refused(await request(pathOf('v2.0/'), v2({ scope: `${other}/.default` })), 400, 'invalid_scope')
    assert.equal(server.history.last(), before)
  })

  test.each(['grant_type', 'client_id', 'client_secret', 'scope'])('without %s', async (name) => {
    refused(await request(pathOf('v2.0/'), v2({ [name]: undefined })), 400, 'invalid_request')
  })

  test('for nothing at all', async () => {
    refused(await server.ask({ method: 'POST', path: pathOf('v2.0/') }), 400, 'invalid_request')
    refused(await server.ask({ method: 'GET', path: pathOf('') }), 400, 'invalid_request')
  })
})

/** `wire.md` 10, each as a resource and as a scope; and our own base URLs (18). */
const resources = [
  'https://api.securitycenter.microsoft.com',
  'https://api.securitycenter.windows.com',
  'https://securitycenter.onmicrosoft.com/windowsatpservice',
  'https://api-gcc.securitycenter.microsoft.us',
  'https://api-gov.securitycenter.microsoft.us',
  'https://api.security.microsoft.com',
  // Regions (11).
  'https://eu.api.security.microsoft.com',
  'https://aea.api.security.microsoft.com',
  'https://api-eu.securitycenter.microsoft.com',
  'https://api-us.securitycenter.windows.com',
  publicUrl,
  'http://localhost:80',
]

const worksWith = async (answer: Answer, audience: string): Promise<void> => {
  const { token, claims } = granted(answer)
  assert.equal(claims.aud, audience)
  const list = await server.ask({ method: 'GET', path: '/api/machineactions', token })
  assert.equal(list.status, 200, list.text)
}

describe.each(resources)('for the resource %s', (asked) => {
  test('v1 gives a token that works', async () =>
    worksWith(await request(pathOf(''), v1({ resource: asked })), asked))
  test('v2 gives a token that works', async () =>
    worksWith(await request(pathOf('v2.0/'), v2({ scope: `${asked}/.default` })), asked))
  test('v1 with a slash at its end gives a token for just that', async () =>
    worksWith(await request(pathOf(''), v1({ resource: `${asked}/` })), `${asked}/`))
})

describe('a token', () => {
  test('says who asked, by whom it is given, and what it permits', async () => {
    const { claims } = granted(await request(pathOf('v2.0/'), v2()))
    const now = Math.floor(server.clock.now.getTime() / 1000)
    const { oid, sub, iat, nbf, exp, ...rest } = claims
    assert.equal(rest.iss, `https://sts.windows.net/${tenant}/`)
    assert.equal(rest.ver, '1.0', 'even from the v2 endpoint')
    assert.equal(rest.appid, client.id)
    assert.equal(rest.app_displayname, 'a playbook')
    assert.deepEqual(rest.roles, ['Machine.Read.All', 'Machine.Isolate'])
    assert.equal(rest.tid, tenant)
    assert.equal(typeof oid, 'string')
    assert.equal(sub, oid)
    assert.deepEqual([iat, nbf, exp], [now, now, now + 3600])
    assert.ok(!('scp' in claims))
  })

  test('is written on an action with the name of its application', async () => {
    await server.upload('run.sh')
    const { machineId } = await enrol(server)
    const other = await server.client(['Machine.LiveResponse'], 'another playbook')
    const { body } = await server.ask<{ requestor: string }>({
      method: 'POST',
      path: `/api/machines/${machineId}/runliveresponse`,
      token: await server.tokenOf(other),
      body: { Commands: [{ type: 'RunScript', params: [{ key: 'ScriptName', value: 'run.sh' }] }] },
    })
    assert.equal(body.requestor, 'another playbook')
  })
})

const ways: Readonly<Record<string, () => Promise<Answer>>> = {
  'a GET with a form for its body': () => request(pathOf('v2.0/'), v2(), { method: 'GET' }),
  'a GET of v1 with a form for its body': () => request(pathOf(''), v1(), { method: 'GET' }),
  'a form without content type': () => request(pathOf('v2.0/'), v2(), { headers: {} }),
  'a form that is labelled as JSON': () =>
    request(pathOf(''), v1(), { headers: { 'content-type': 'application/json' } }),
  'a form that names its character set': () =>
    request(pathOf('v2.0/'), v2(), {
      headers: { 'content-type': `${labelled['content-type']}; charset=utf-8` },
    }),
  'a path in other letters': () => request(`/${tenant.toUpperCase()}/OAuth2/V2.0/Token`, v2()),
  'a path with a slash at its end': () => request(`${pathOf('')}/`, v1()),
  'a client id in capital letters': () =>
    request(pathOf('v2.0/'), v2({ client_id: client.id.toUpperCase() })),
  'a scope without /.default': () => request(pathOf('v2.0/'), v2({ scope: resource })),
  'a resource at the v2 endpoint': () => request(pathOf('v2.0/'), v1()),
  'a scope at the v1 endpoint': () => request(pathOf(''), v2()),
  'names that nobody knows': () => request(pathOf('v2.0/'), v2({ client_info: '1', 'x-client-SKU': 'x' })),
  'the secret in a Basic header': () => {
    const basic = Buffer.from(`${client.id}:${encodeURIComponent(client.secret)}`).toString('base64')
    const fields = v2({ client_id: undefined, client_secret: undefined })
    return request(pathOf('v2.0/'), fields, { headers: { ...labelled, authorization: `Basic ${basic}` } })
  },
  'a secret with letters that a form and a header escape': async () => {
    const secret = 'a+b c%2B=&:ü~'
    const { id } = await server.client(['Machine.Read.All'])
    server.history.tamper(
      `update applications set secrets = '[{"digest":"${server.app.digest(secret)}","endsAt":null}]' where id = '${id}'`,
    )
    const fields = v2({ client_id: undefined, client_secret: undefined })
    const basic = Buffer.from(`${id}:${encodeURIComponent(secret)}`).toString('base64')
    const headers = { ...labelled, authorization: `Basic ${basic}` }
    granted(await request(pathOf('v2.0/'), fields, { headers }))
    return request(pathOf('v2.0/'), v2({ client_id: id, client_secret: secret }))
  },
}

test.each(Object.entries(ways))('%s is understood', async (_, ask) => {
  assert.equal(granted(await ask()).claims.aud, resource)
})
