/** The server is found by its name although nobody resolves it, and only where the latest posture says. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { createServer as createPlainServer, type Server } from 'node:http'
import { join } from 'node:path'
import { afterEach, test } from 'vitest'
import { openPrivateCa } from '../../../server/src/tls/private-ca.ts'
import { trustOnly } from '../connection.ts'
import { inFolder } from '../testing/fakes.ts'
import { pinServer } from './server-name.ts'

// No name below `invalid` is ever resolved by anybody.
const name = 'control.invalid'
const open: Server[] = []
afterEach(() => {
  pinServer(`http://${name}`, [], false)
  for (const server of open.splice(0)) server.close()
})

async function portOf(server: Server): Promise<number> {
  open.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}

const plain = (): Promise<number> =>
  portOf(createPlainServer((request, response) => response.end(request.headers.host)))

const say = async (url: string): Promise<string> =>
  (await fetch(url, { headers: { connection: 'close' } })).text()

test.each([true, false])('a pinned name leads to its address, alone there: %s', async (only) => {
  const port = await plain()
  await assert.rejects(say(`http://${name}:${port}`))
  pinServer(`http://${name}:${port}`, ['127.0.0.1'], only)
  assert.equal(await say(`http://${name}:${port}`), `${name}:${port}`)
})

test('under a barrier nobody else is asked; without one a name that is resolved leads there first', async () => {
  const port = await plain()
  pinServer(`http://localhost:${port}`, ['127.0.0.1'], true)
  assert.equal(await say(`http://localhost:${port}`), `localhost:${port}`)
  pinServer(`http://localhost:${port}`, ['127.0.0.77'], true)
  await assert.rejects(say(`http://localhost:${port}`))
  pinServer(`http://localhost:${port}`, ['127.0.0.77'], false)
  assert.equal(await say(`http://localhost:${port}`), `localhost:${port}`)
  pinServer(`http://localhost:${port}`, [], false)
})

test('the name that TLS checks stays that of the URL', () =>
  inFolder(async (folder) => {
    const shown = join(folder, 'ca.pem')
    const { first } = await openPrivateCa({ kept: join(folder, 'ca.key'), shown, names: [name] }, new Date())
    const port = await portOf(createServer(first, (_, response) => response.end('hello')))
    trustOnly(readFileSync(shown, 'utf8'))
    pinServer(`https://${name}:${port}`, ['127.0.0.1'], true)
    assert.equal(await say(`https://${name}:${port}`), 'hello')
    pinServer(`https://other.invalid:${port}`, ['127.0.0.1'], true)
    await assert.rejects(say(`https://other.invalid:${port}`))
    pinServer(`https://other.invalid:${port}`, [], true)
  }))
