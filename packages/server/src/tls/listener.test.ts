/** Another certificate is shown to whoever comes, and nobody who is there is sent away. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import Fastify from 'fastify'
import { test } from 'vitest'
import { openTlsListener } from './listener.ts'
import { openPrivateCa } from './private-ca.ts'

async function open(port: number, ca: string): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca })
  await once(socket, 'secureConnect')
  return socket
}

async function ask(socket: TLSSocket): Promise<string> {
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  return bytes.toString().split('\r\n')[0] ?? ''
}

test('a connection outlives the certificate that it began with', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-listener-'))
  const options = { kept: join(folder, 'ca.key'), shown: join(folder, 'ca.pem'), names: ['127.0.0.1'] }
  const { first } = await openPrivateCa(options, new Date())
  const { first: second } = await openPrivateCa(options, new Date())
  const ca = readFileSync(options.shown, 'utf8')
  const listener = openTlsListener(first)
  const server = Fastify({ serverFactory: listener.serverFactory })
  server.get('/', (_, reply) => reply.send({}))
  await server.listen({ host: '127.0.0.1', port: 0 })
  const [address] = server.addresses()
  const port = typeof address === 'object' ? address.port : 0
  const early = await open(port, ca)
  try {
    assert.equal(await ask(early), 'HTTP/1.1 200 OK')
    listener.show(second)
    const late = await open(port, ca)
    assert.notEqual(late.getPeerCertificate().serialNumber, early.getPeerCertificate().serialNumber)
    assert.equal(await ask(early), 'HTTP/1.1 200 OK')
    assert.equal(await ask(late), 'HTTP/1.1 200 OK')
    late.destroy()
  } finally {
    early.destroy()
    await server.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
