/** How a client may say who it is: once, in one way, and never in a URL (RFC 6749 2.3, 3.2, 5; RFC 9700). */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { openServer, type Answer, type Client, type TestServer } from '../../testing/server.ts'

let server: TestServer
let client: Client
beforeAll(async () => {
  server = await openServer()
  client = await server.client(['Machine.Read.All'])
})
afterAll(() => server.close())

interface Sent {
  readonly method?: 'GET' | 'POST'
  readonly query?: string
  readonly form?: string
  readonly basic?: readonly [id: string, secret: string]
}

const grant = 'grant_type=client_credentials&scope=https%3A%2F%2Fapi.securitycenter.microsoft.com%2F.default'
const ask = ({ method = 'POST', query = '', form = grant, basic }: Sent): Promise<Answer> => {
  const authorization =
    basic && `Basic ${Buffer.from(basic.map(encodeURIComponent).join(':')).toString('base64')}`
  return server.ask({
    method,
    path: `/${server.app.identity.tenantId}/oauth2/v2.0/token${query}`,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(authorization !== undefined && { authorization }),
    },
    body: form,
  })
}
const inForm = (): string =>
  `${grant}&client_id=${client.id}&client_secret=${encodeURIComponent(client.secret)}`
const right = (): readonly [string, string] => [client.id, client.secret]

function refused(answer: Answer, error: string, says: RegExp): void {
  assert.equal(answer.status, 400, answer.text)
  const body = answer.body as Record<string, unknown>
  assert.equal(body.error, error)
  assert.match(String(body.error_description), says)
  assert.ok(!answer.text.includes(client.secret), 'the secret is not said back')
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.equal(answer.headers.pragma, 'no-cache')
}

describe('a secret in the URL is refused, though it is right, and though the body has it too', () => {
  test.each(['client_secret', 'client_assertion', 'assertion', 'password', 'refresh_token', 'code'])(
    '%s',
    async (name) => {
      const query = `?${name}=${encodeURIComponent(client.secret)}`
      for (const method of ['GET', 'POST'] as const)
        refused(
          await ask({ method, query, form: inForm() }),
          'invalid_request',
          new RegExp(`in the URL: ${name}$`),
        )
    },
  )
  test('all of the form', async () =>
    refused(
      await ask({ method: 'GET', query: `?${inForm()}`, form: '' }),
      'invalid_request',
      /in the URL: client_secret$/,
    ))
})

describe('what is said twice is refused', () => {
  test.each(['grant_type', 'client_id', 'client_secret', 'scope', 'resource'])('%s', async (name) => {
    const form = `${inForm()}&${name}=x${name === 'resource' ? '&resource=y' : ''}`
    refused(await ask({ form }), 'invalid_request', new RegExp(`said once: ${name}$`))
  })
  test('the secret, in a Basic header and in the form', async () =>
    refused(await ask({ form: inForm(), basic: right() }), 'invalid_request', /said once: client_secret$/))
  test('another client in the form than in the Basic header', async () => {
    const form = `${grant}&client_id=00000000-0000-4000-8000-000000000000`
    refused(await ask({ form, basic: right() }), 'invalid_request', /said once: client_id$/)
  })
})

test.each([
  'client_credentials ',
  'implicit',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
  'urn:ietf:params:oauth:grant-type:device_code',
])('the grant %j is not supported', async (name) => {
  const form = inForm().replace('grant_type=client_credentials', `grant_type=${encodeURIComponent(name)}`)
  refused(await ask({ form }), 'unsupported_grant_type', /use client_credentials/)
})

test('who is not known is told how to sign in, and nothing is kept', async () => {
  const answer = await ask({ basic: [client.id, 'wrong'] })
  assert.equal(answer.status, 401)
  assert.match(answer.headers['www-authenticate'] ?? '', /^Basic realm="/)
  assert.equal(answer.headers['cache-control'], 'no-store')
})

test.each([
  ['the form', () => ({ form: inForm() })],
  ['a Basic header', () => ({ basic: right() })],
  [
    'a Basic header, and the same client id in the form',
    () => ({ basic: right(), form: `${grant}&client_id=${client.id.toUpperCase()}` }),
  ],
] as const)('by %s a client gets its token, which nobody keeps', async (_, how) => {
  const answer = await ask(how())
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.equal(answer.headers.pragma, 'no-cache')
})
