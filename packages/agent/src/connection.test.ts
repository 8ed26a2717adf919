/** Whom this process trusts, once it has been told: the event stream, files and all. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { join } from 'node:path'
import { once } from 'node:events'
import { afterEach, test } from 'vitest'
import { openPrivateCa } from '../../server/src/tls/private-ca.ts'
import { trustOnly } from './connection.ts'
import { inFolder } from './testing/fakes.ts'
import { certificateTrouble, plainly } from './trouble.ts'
import { listen } from './wake.ts'

let server: Server | null = null
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

/** One that wakes whoever listens. Answers its address and its CA, PEM. */
async function openServer(folder: string): Promise<{ url: string; ca: string; asked: string[] }> {
  const shown = join(folder, 'ca.pem')
  const { first } = await openPrivateCa(
    { kept: join(folder, 'ca.key'), shown, names: ['127.0.0.1'] },
    new Date(),
  )
  const asked: string[] = []
  server = createServer(first, (request, response) => {
    asked.push(request.url ?? '')
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('event: wake\ndata:\n\n')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  return { url: `https://127.0.0.1:${port}`, ca: readFileSync(shown, 'utf8'), asked }
}

test('a wake-up comes through from a server that is vouched for', () =>
  inFolder(async (folder) => {
    const { url, ca, asked } = await openServer(folder)
    trustOnly(ca)
    const leaving = new AbortController()
    const told: boolean[] = []
    await listen({
      server: url,
      ticket: () => 'ticket',
      seen: () => 0,
      wake: () => leaving.abort(),
      listening: (isListening) => void told.push(isListening),
      signal: leaving.signal,
    })
    assert.deepEqual(asked, ['/device/wake'])
    assert.deepEqual(told, [true, false])
  }))

test('whoever else answers is told nothing, and it is said what is wrong', () =>
  inFolder(async (folder) => {
    const { url, asked } = await openServer(folder)
    const other = join(folder, 'other.pem')
    await openPrivateCa({ kept: join(folder, 'other.key'), shown: other, names: ['x.example'] }, new Date())
    trustOnly(readFileSync(other, 'utf8'))
    const thrown: unknown = await fetch(url).then(
      () => null,
      (error: unknown) => error,
    )
    assert.equal(certificateTrouble(thrown), 'its certificate is not by the CA that this device trusts')
    assert.match(plainly(thrown), /^its certificate is not by the CA that this device trusts \(fetch failed/)
    assert.deepEqual(asked, [])
  }))
