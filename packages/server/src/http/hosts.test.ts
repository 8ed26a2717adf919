/** Every name that clients of the reference have built in, asked over TLS by that name (`wire.md` 10, 11, 18). */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync } from 'node:fs'
import { request, type RequestOptions } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json, text } from 'node:stream/consumers'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { enrol } from '../testing/device.ts'
import { impatient, openServer, unlimited, type Client, type TestServer } from '../testing/server.ts'

const apiHosts = [
  'api.security.microsoft.com',
  'us.api.security.microsoft.com',
  'eu.api.security.microsoft.com',
  'uk.api.security.microsoft.com',
  'au.api.security.microsoft.com',
  'swa.api.security.microsoft.com',
  'ina.api.security.microsoft.com',
  'aea.api.security.microsoft.com',
  'api.securitycenter.microsoft.com',
  'api-us.securitycenter.microsoft.com',
  'api-eu.securitycenter.microsoft.com',
  'api-uk.securitycenter.microsoft.com',
  'api-au.securitycenter.microsoft.com',
  'api.securitycenter.windows.com',
  'api-us.securitycenter.windows.com',
  'api-gcc.securitycenter.microsoft.us',
  'api-gov.securitycenter.microsoft.us',
]
const signInHosts = ['login.microsoftonline.com', 'login.microsoftonline.us']

let server: TestServer
let client: Client
let ca: string
let port: number
beforeAll(async () => {
  // Certificates are looked at by clients, whose clock goes.
  const before = {
    folder: mkdtempSync(join(tmpdir(), 'countermand-hosts-')),
    clock: { now: new Date(), pass: () => undefined },
  }
  server = await openServer({
    before,
    flags: [...unlimited, ...impatient, '--tls', 'auto', '--tls-names', 'microsoft'],
  })
  await server.http.listen({ host: '127.0.0.1', port: 0 })
  const [address] = server.http.addresses()
  port = typeof address === 'object' ? address.port : 0
  ca = readFileSync(join(server.folder, 'ca.pem'), 'utf8')
  client = await server.client(['Machine.Read.All', 'Machine.LiveResponse'])
  await server.upload('run.sh')
})
afterAll(() => server.close())

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

type More = Pick<RequestOptions, 'method' | 'ca'> & { readonly headers?: Readonly<Record<string, string>> }

/** As a client does that finds the name at this address, and trusts the CA and nothing else. */
function ask(host: string, path: string, more: More = {}, body?: string): Promise<Answer> {
  const found = { host: '127.0.0.1', port, servername: host, ca, agent: false } as const
  return new Promise((resolve, reject) => {
    const asked = request({ ...found, path, ...more, headers: { host, ...more.headers } }, (response) => {
      json(response).then(
        (parsed) => resolve({ status: response.statusCode ?? 0, body: parsed as Answer['body'] }),
        reject,
      )
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

async function tokenFrom(
  host: string,
  version: '' | 'v2.0/',
  wanted: Record<string, string>,
): Promise<string> {
  const { id, secret } = client
  const form = { grant_type: 'client_credentials', client_id: id, client_secret: secret, ...wanted }
  const path = `/${server.app.identity.tenantId}/oauth2/${version}token`
  const answer = await ask(host, path, { method: 'POST' }, new URLSearchParams(form).toString())
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  return String(answer.body.access_token)
}

describe.each(apiHosts)('the API at %s', (host) => {
  test.each(signInHosts)('takes the seed’s cancel, with a token for it from %s', async (signInHost) => {
    const { machineId } = await enrol(server)
    const { id } = await server.issue(machineId)
    const token = await tokenFrom(signInHost, 'v2.0/', { scope: `https://${host}/.default` })
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const seed = '{ "Comment": "Machine action was canceled by automation" }'
    const answer = await ask(host, `/api/machineactions/${id}/cancel`, { method: 'POST', headers }, seed)
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    assert.deepEqual(
      [answer.body.status, answer.body.cancellationComment],
      ['Cancelled', 'Machine action was canceled by automation'],
    )
  })

  test('answers with links to itself, with or without a version, and a token of v1', async () => {
    const token = await tokenFrom('login.microsoftonline.com', '', { resource: `https://${host}` })
    for (const path of ['/api/machines', '/api/v1.0/machines']) {
      const { status, body } = await ask(host, path, { headers: { authorization: `Bearer ${token}` } })
      assert.equal(status, 200)
      assert.equal(body['@odata.context'], `https://${host}/api/$metadata#Machines`)
    }
  })
})

describe.each(signInHosts)('sign-in at %s', (host) => {
  test('discovers itself as an instance, and leads on to endpoints of its own', async () => {
    const asked = `api-version=1.1&authorization_endpoint=https://${host}/common/oauth2/authorize`
    const instance = await ask(host, `/common/discovery/instance?${asked}`)
    assert.equal(instance.status, 200)
    const { tenantId } = server.app.identity
    const discovery = `https://${host}/${tenantId}/v2.0/.well-known/openid-configuration`
    assert.equal(instance.body.tenant_discovery_endpoint, discovery)
    const [{ aliases = [] } = {}] = instance.body.metadata as { aliases?: string[] }[]
    for (const name of signInHosts) assert.ok(aliases.includes(name), name)

    const { body } = await ask(host, new URL(discovery).pathname)
    assert.equal(body.token_endpoint, `https://${host}/${tenantId}/oauth2/v2.0/token`)
    assert.equal(body.jwks_uri, `https://${host}/${tenantId}/discovery/v2.0/keys`)
  })
})

describe('nothing is said', () => {
  test('by a client to a name that the certificate is not for', async () => {
    await assert.rejects(ask('graph.microsoft.com', '/readyz'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  })

  test('by a client that does not know the CA', async () => {
    await assert.rejects(ask('api.security.microsoft.com', '/readyz', { ca: [] }), {
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    })
  })

  test('to a client that speaks plain HTTP', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write('GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n')
    assert.equal(await text(socket).catch(() => ''), '')
  })

  test.each([
    ['TLSv1', false],
    ['TLSv1.1', false],
    ['TLSv1.2', true],
    ['TLSv1.3', true],
  ] as const)('but by %s: %s', async (version, isSpoken) => {
    const only: ConnectionOptions = {
      host: '127.0.0.1',
      port,
      ca,
      minVersion: version,
      maxVersion: version,
      // What OpenSSL itself refuses to say is allowed to this client: the refusal is to be the server's.
      ciphers: 'DEFAULT:@SECLEVEL=0',
    }
    const spoken = await new Promise<string | null>((resolve) => {
      const socket = connectTls(only, () => {
        resolve(socket.getProtocol())
        socket.end()
      })
      socket.on('error', () => resolve(null))
    })
    assert.equal(spoken, isSpoken ? version : null)
  })
})
