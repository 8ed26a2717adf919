/** What every answer says to a browser, whatever it is an answer to. */
import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { broughtTo } from '../../testing/given.ts'
import { openServer, type Answer, type Asked, type TestServer } from '../../testing/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await openServer()
  await server.upload('run.sh')
})
afterAll(() => server.close())

const plain = { host: 'localhost:8080' }
const get = (path: string, more: Partial<Asked> = {}): Promise<Answer> =>
  server.ask({ method: 'GET', path, headers: plain, ...more })

async function download(): Promise<Answer> {
  const { id, device } = await broughtTo('running')(server)
  device.finish(id, 'succeeded', await device.upload(id, '<script>alert(1)</script>', 'evil.html'))
  await device.sync()
  const path = `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=0)`
  const { body } = await server.ask<{ value: string }>({
    method: 'GET',
    path,
    token: await server.token('Machine.Read.All'),
  })
  return get(new URL(body.value).pathname)
}

const nothing = "default-src 'none'; frame-ancestors 'none'; sandbox"
const answers: Readonly<Record<string, { ask: () => Promise<Answer>; policy?: RegExp; cache?: string }>> = {
  'a list': { ask: async () => get('/api/machines', { token: await server.token('Machine.Read.All') }) },
  'a refusal': { ask: () => get('/api/machines') },
  'a path that leads nowhere': { ask: () => get('/nowhere') },
  'a path that is too long for the router': { ask: () => get(`/api/machines/${'x'.repeat(20_000)}`) },
  'a request for a token': {
    ask: () => server.ask({ method: 'POST', path: '/x/oauth2/v2.0/token', headers: plain, body: 'x' }),
  },
  keys: { ask: () => get(`/${server.app.identity.tenantId}/discovery/v2.0/keys`) },
  health: { ask: () => get('/healthz') },
  metrics: { ask: () => get('/metrics') },
  'a statement': {
    ask: () => server.ask({ method: 'POST', path: '/device/sync', headers: plain, body: 'x' }),
  },
  'a result of a device': { ask: download },
  'the document of the API': { ask: () => get('/openapi.json'), cache: 'no-cache' },
  'its page': {
    ask: () => get('/reference'),
    policy: /^default-src 'none'; style-src 'sha256-[^']+'; /,
    cache: 'no-cache',
  },
}

describe.each(Object.entries(answers))('the answer to %s', (_, { ask, policy, cache = 'no-store' }) => {
  test('is taken for nothing else, tells nobody, is kept by nobody, and runs nothing', async () => {
    const { headers } = await ask()
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['referrer-policy'], 'no-referrer')
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin')
    assert.equal(headers['cache-control'], cache)
    const said = headers['content-security-policy'] ?? ''
    if (policy === undefined) assert.equal(said, nothing)
    else assert.match(said, policy)
    assert.equal(headers['strict-transport-security'], undefined, 'it was asked in plain HTTP')
    assert.equal(headers['access-control-allow-origin'], undefined)
    assert.equal(headers.server, undefined)
  })
})

test('a result is never shown as a page', async () => {
  const { headers } = await download()
  assert.match(headers['content-disposition'] ?? '', /^attachment; /)
  assert.equal(headers['content-type'], 'application/octet-stream')
})

test('where TLS was asked for, it is asked for always', async () => {
  const { headers } = await get('/healthz', { headers: { host: 'countermand.example' } })
  assert.equal(headers['strict-transport-security'], 'max-age=31536000')
})

test('an event stream says it too', async () => {
  const { device } = await broughtTo('running')(server)
  await server.http.listen({ host: '127.0.0.1', port: 0 })
  const { port } = server.http.server.address() as AddressInfo
  const stop = new AbortController()
  const headers = { authorization: `Bearer ${device.ticket}` }
  const answer = await fetch(`http://127.0.0.1:${port}/device/wake`, { headers, signal: stop.signal })
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  stop.abort()
})
