/** Behind a proxy: links and contexts lead to the host that the caller asked, by the word of those that are trusted, and of nobody else. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { openServer, type TestServer } from '../testing/server.ts'

// Calls without a socket come from here.
const caller = '127.0.0.1'
const forwarded = {
  host: 'inside.example:8600',
  'x-forwarded-host': 'outside.example',
  'x-forwarded-proto': 'https',
}

describe.each([
  ['that is trusted', `10.0.0.0/8,${caller}`, 'https://outside.example'],
  ['that is not trusted', '10.0.0.0/8', 'http://inside.example:8600'],
])('a proxy %s', (_name, proxies, base) => {
  let server: TestServer
  let token: string
  beforeAll(async () => {
    server = await openServer({ flags: ['--trusted-proxies', proxies] })
    token = await server.token('Machine.Read.All', 'Machine.ReadWrite.All')
  })
  afterAll(() => server.close())
  const ask = (path: string) =>
    server.ask<Record<string, unknown>>({ method: 'GET', path, token, headers: forwarded })

  test(`leads to ${base}`, async () => {
    const { body } = await ask('/api/machineactions')
    assert.equal(body['@odata.context'], `${base}/api/$metadata#MachineActions`)
  })

  test('names that host where there is nothing', async () => {
    const { text } = await ask('/api/nothing')
    assert.ok(text.includes(`'${base}/api/nothing'`), text)
  })
})

test('of several proxies the nearest is believed, and not what the caller made up before', async () => {
  const server = await openServer({ flags: ['--trusted-proxies', caller] })
  try {
    const headers = { ...forwarded, 'x-forwarded-host': 'made-up.example, outside.example' }
    const token = await server.token('Machine.Read.All')
    const { body } = await server.ask<Record<string, unknown>>({
      method: 'GET',
      path: '/api/machines',
      token,
      headers,
    })
    assert.equal(body['@odata.context'], 'https://outside.example/api/$metadata#Machines')
  } finally {
    await server.close()
  }
})
