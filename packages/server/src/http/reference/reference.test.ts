import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { operations } from '@countermand/contract'
import { permissionNames } from '@countermand/contract/documents/permission-names'
import { afterAll, beforeAll, test } from 'vitest'
import { openServer, type TestServer } from '../../testing/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await openServer()
})
afterAll(() => server.close())

const get = (path: string, host = 'countermand.example') =>
  server.ask<{ openapi: string; servers: { url: string }[] }>({ method: 'GET', path, headers: { host } })

test('the document names the host that was asked, and needs no token', async () => {
  const { status, headers, body } = await get('/openapi.json')
  assert.equal(status, 200)
  assert.match(headers['content-type'] ?? '', /^application\/json/)
  assert.equal(body.openapi, '3.1.0')
  assert.deepEqual(body.servers, [{ url: 'https://countermand.example' }])
  assert.match(JSON.stringify(body), new RegExp(`${server.app.identity.tenantId}/oauth2/v2.0/token`))
})

test('the page shows every operation with its permissions, and loads nothing', async () => {
  const { status, headers, text } = await get('/reference')
  assert.equal(status, 200)
  assert.equal(headers['content-type'], 'text/html; charset=utf-8')
  for (const [name, row] of Object.entries(operations)) {
    assert.ok(text.includes(`id="${name}"`) && text.includes(`href="#${name}"`), name)
    for (const permission of row.permission.app)
      assert.ok(text.includes(permissionNames[permission]), permission)
  }
  assert.doesNotMatch(text, /<script|<link|<img|<iframe|\ssrc=|@import|url\(/)
})

test('every link within the page leads somewhere', async () => {
  const { text } = await get('/reference')
  const missing = [...text.matchAll(/href="#(\w+)"/g)].filter(([, id]) => !text.includes(`id="${id}"`))
  assert.deepEqual(missing, [])
})

test('the page may run no script and use its own style only', async () => {
  const { headers, text } = await get('/reference')
  const style = /<style>([\s\S]*?)<\/style>/.exec(text)?.[1] ?? ''
  const hash = createHash('sha256').update(style).digest('base64')
  const policy = headers['content-security-policy'] ?? ''
  assert.ok(policy.includes("default-src 'none'") && policy.includes(`style-src 'sha256-${hash}'`), policy)
  assert.doesNotMatch(policy, /script-src|unsafe/)
  assert.doesNotMatch(text, /\sstyle=|\son\w+=/)
})

test('a host that is asked for is text, never markup', async () => {
  const { text } = await get('/reference', 'a<b>"c')
  assert.doesNotMatch(text, /a<b>/)
})
