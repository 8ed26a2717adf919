/** How paths are matched, and what every answer has in common (`wire.md` 1.6, 8 and 18). */
import assert from 'node:assert/strict'
import { connect, type AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { checkDialect, checkError } from '../testing/scenarios.ts'
import { openServer, type Answer, type Asked, type TestServer } from '../testing/server.ts'

let server: TestServer
let token: string
beforeAll(async () => {
  server = await openServer()
  const permissions = ['Machine.Read.All', 'Machine.Isolate', 'Machine.LiveResponse', 'Library.Manage']
  token = await server.token(...permissions)
})
afterAll(() => server.close())

const ask = (method: Asked['method'], path: string): Promise<Answer> => server.ask({ method, path, token })

describe('a path', () => {
  test.each([
    '/api/machineactions',
    '/api/machineactions/',
    '/API/MachineActions',
    '/Api/MACHINEACTIONS/',
    '/api/v1.0/machineactions',
    '/api/V1.0/machineActions/',
    '/API/v1.0/machineactions?$top=1',
    '/api/machineactions/?$top=1',
    '/api/v1.0/machines',
    '/api/v1.0/libraryfiles/',
    '/api/LibraryFiles',
    '/API/MACHINES/?$top=1',
  ])('%s is found', async (path) => {
    const answer = await ask('GET', path)
    assert.equal(answer.status, 200, answer.text)
    checkDialect(answer)
  })

  test.each([
    '/api/machineactions/x/cancel',
    '/api/MachineActions/x/Cancel',
    '/API/MACHINEACTIONS/X/CANCEL/',
    '/api/v1.0/machineactions/x/cancel',
    '/API/V1.0/machineActions/x/CANCEL/',
    '/api/machines/x/runLiveResponse',
    '/API/machines/x/runliveresponse',
    '/api/v1.0/machines/x/RunLiveResponse/',
  ])('%s is found, and what it names is not', async (path) => {
    const answer = await ask('POST', path)
    assert.equal(answer.status, 404, answer.text)
    checkDialect(answer)
    checkError(answer, 'ResourceNotFound')
  })
})

type Request = readonly [method: Asked['method'], path: string]
const wrongVerbs: readonly Request[] = [
  ['POST', '/api/machineactions'],
  ['DELETE', '/api/machineactions/x'],
  ['PUT', '/api/machineactions/x'],
  ['PATCH', '/api/machineactions/x'],
  ['GET', '/api/machineactions/x/cancel'],
  ['PUT', '/api/machineactions/x/cancel'],
  ['POST', '/api/machineactions/x/GetLiveResponseResultDownloadLink(index=0)'],
  ['GET', '/api/machines/x/runliveresponse'],
  ['POST', '/api/machines'],
  ['POST', '/api/machines/x'],
  ['GET', '/api/libraryfiles/x'],
  ['POST', '/api/libraryfiles/x'],
  ['DELETE', '/api/libraryfiles'],
  ['POST', '/healthz'],
  ['GET', '/api/machines/x/isolate'],
  ['GET', '/api/machines/x/StopAndQuarantineFile'],
  ['GET', '/api/machines/x/tags'],
  ['PATCH', '/api/machines/x/tags'],
  ['PUT', '/api/machines/x'],
  ['DELETE', '/api/machines/x'],
  ['PATCH', '/api/machines'],
  ['POST', '/api/machines/x/logonusers'],
  ['POST', '/api/machines/x/alerts'],
  ['POST', '/api/alerts'],
  ['POST', '/api/alerts/$count'],
]
const noRoutes: readonly Request[] = [
  ['GET', '/'],
  ['GET', '/api'],
  ['GET', '/api/'],
  ['GET', '/api/v1.0'],
  ['GET', '/api/v2.0/machineactions'],
  ['GET', '/api/v1.0.0/machineactions'],
  ['GET', '/v1.0/machineactions'],
  ['GET', '/machineactions'],
  ['GET', '/api/machineactionsx'],
  ['GET', '/api/machineactions/x/y'],
  ['POST', '/api/machineactions/x/cancel/y'],
  ['GET', '/favicon.ico'],
  ['GET', '/api/alerts/x'],
  ['GET', '/api/investigations'],
  ['POST', '/api/machines/x/startInvestigation'],
  ['GET', '/api/machines/x/nothing?$top=1&x=%27'],
]

describe.each([
  ['the wrong verb', wrongVerbs],
  ['no route', noRoutes],
] as const)('%s', (_, requests) => {
  test.each(requests)('%s %s is 404 with the literal text, with a token or without', async (method, path) => {
    for (const who of [token, null]) {
      const answer = await server.ask({ method, path, token: who })
      assert.equal(answer.status, 404, answer.text)
      checkDialect(answer)
      const text = `No HTTP resource was found that matches the request URI 'http://localhost:80${path}'.`
      checkError(answer, 'NotFound', text)
    }
  })
})

/** Every read that needs nothing to be there (`wire.md` 18: some clients send a body with a GET). */
test.each([
  '/api/machineactions?$top=1',
  '/api/machines?$top=1',
  '/api/machines/findbytag?tag=x',
  '/api/libraryfiles',
  '/api/alerts?$top=1',
])('GET %s is answered the same with a body that says nothing, whatever it calls itself', async (path) => {
  const able = await server.token('Machine.Read.All', 'Library.Manage', 'Alert.Read.All')
  const bare = await server.ask({ method: 'GET', path, token: able })
  assert.equal(bare.status, 200, bare.text)
  for (const type of ['application/json', 'application/x-www-form-urlencoded', 'json']) {
    const headers = { 'content-type': type }
    const answer = await server.ask({ method: 'GET', path, token: able, headers, body: '{}' })
    assert.deepEqual([answer.status, answer.text], [200, bare.text])
  }
})

test('HEAD is no verb of ours, and has no body', async () => {
  const answer = await ask('HEAD', '/api/machineactions')
  assert.deepEqual([answer.status, answer.text], [404, ''])
})

test('every answer has a request id of its own, and never the caller’s', async () => {
  const mine = '11111111-1111-4111-8111-111111111111'
  const seen = new Set<string | undefined>()
  for (const path of ['/api/machineactions', '/api/machineactions/x', '/nowhere', '/healthz']) {
    const headers = { 'request-id': mine, 'x-request-id': mine, 'client-request-id': mine }
    const answer = await server.ask({ method: 'GET', path, token, headers })
    checkDialect(answer)
    seen.add(answer.headers['request-id'])
  }
  assert.equal(seen.size, 4)
  assert.ok(!seen.has(mine))
})

describe('health', () => {
  test.each(['/healthz', '/readyz'])('%s needs no token', async (path) => {
    const answer = await server.ask({ method: 'GET', path })
    assert.equal(answer.status, 200)
    checkDialect(answer)
  })

  test('is alive but not ready when the store cannot be reached', async () => {
    const other = await openServer()
    await other.app.store.close()
    const alive = await other.ask({ method: 'GET', path: '/healthz' })
    const ready = await other.ask({ method: 'GET', path: '/readyz' })
    assert.equal(alive.status, 200)
    assert.equal(ready.status, 503)
    checkDialect(ready)
    checkError(ready, 'ServiceUnavailable')
    await other.close()
  })
})

test('a fault is a 500 that tells nothing of what went wrong', async () => {
  server.history.tamper('alter table actions rename to elsewhere')
  const answer = await ask('GET', '/api/machineactions')
  server.history.tamper('alter table elsewhere rename to actions')
  assert.equal(answer.status, 500)
  checkDialect(answer)
  checkError(answer, 'InternalServerError')
  assert.doesNotMatch(answer.text, /actions|sqlite|select|table/i)
})

/** Says something over a socket and answers all that comes back until the server hangs up. */
async function saying(text: string): Promise<{ status: number; headers: string; body: string }> {
  if (!server.http.server.listening) await server.http.listen({ host: '127.0.0.1', port: 0 })
  const { port } = server.http.server.address() as AddressInfo
  const said = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    let all = ''
    socket.on('data', (bytes) => (all += bytes.toString()))
    socket.on('end', () => resolve(all))
    socket.on('error', reject)
  })
  const [head = '', body = ''] = said.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), headers: head.toLowerCase(), body }
}

describe('over a socket', () => {
  test.each([
    ['what is not HTTP', 'hello\r\n\r\n', 400],
    ['a header without end', `GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
    [
      'a path that is none',
      'GET /api/machineactions/%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      401,
    ],
    ['a path of nothing but a star', 'GET * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 404],
  ])('%s is answered in the envelope', async (_, text, status) => {
    const answer = await saying(text)
    assert.match(answer.headers, /content-type: application\/json/, JSON.stringify(answer))
    const { error } = JSON.parse(answer.body) as { error: Record<string, string> }
    assert.deepEqual(Object.keys(error), ['code', 'message', 'target'])
    assert.match(error.target ?? '', /^[0-9a-f-]{36}$/)
    assert.match(answer.headers, new RegExp(`request-id: ${error.target}`))
    assert.equal(answer.status, status, JSON.stringify(answer))
  })

  test('a body that is longer than allowed is refused though nobody said how long it is', async () => {
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
    const head = `POST /device/enrol HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n`
    const { status, headers, body } = await saying(`${head}${chunk.repeat(129)}0\r\n\r\n`)
    assert.equal(status, 413, body)
    assert.match(headers, /content-type: application\/json/)
    assert.match(body, /"code":"RequestEntityTooLarge"/)
  })
})
