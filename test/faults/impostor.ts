/** Somebody between a device and its server who ends TLS with a certificate of their own, and hears what is said to them. */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import type { Pair } from '../../packages/server/src/tls/certificates.ts'
import { openPrivateCa } from '../../packages/server/src/tls/private-ca.ts'

export interface Impostor {
  readonly url: string
  /** What has been said to them inside of TLS, all connections together. */
  heard(): string
  /** How many have come, whether they have said something or not. */
  visited(): number
  close(): Promise<void>
}

/** `onward`: the port of the server, to which all is passed on. */
export async function openImpostor({ cert, key }: Pair, onward: number): Promise<Impostor> {
  let heard = ''
  let visited = 0
  const open = new Set<TLSSocket>()
  const server = createServer({ cert, key }, (near) => {
    // Whoever has no interest in being deceived asks nobody for a certificate.
    const far = connect({ host: '127.0.0.1', port: onward, rejectUnauthorized: false })
    for (const socket of [near, far]) {
      open.add(socket)
      socket.on('error', () => undefined).on('close', () => open.delete(socket))
    }
    near.on('data', (bytes: Buffer) => void (heard += bytes.toString('latin1')))
    near.pipe(far).pipe(near)
  })
  server.on('connection', () => (visited += 1))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `https://127.0.0.1:${address.port}`,
    heard: () => heard,
    visited: () => visited,
    close: async () => {
      for (const socket of open) socket.destroy()
      await once(server.close(), 'close')
    },
  }
}

export interface Vouched {
  readonly pair: Pair
  /** The CA, PEM. */
  readonly ca: string
}

/** A certificate as it might be shown. `kept`: by the CA that is kept there; by one of its own where it is left out. */
export async function vouched(names: readonly string[], at: Date, kept?: string): Promise<Vouched> {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-impostor-'))
  try {
    const shown = join(folder, 'ca.pem')
    const { first } = await openPrivateCa({ kept: kept ?? join(folder, 'ca.key'), shown, names }, at)
    return { pair: first, ca: readFileSync(shown, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
