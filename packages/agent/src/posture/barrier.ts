/** What the firewall is to make of a document. */
import type { Posture } from '@countermand/contract'
import type { Barrier } from '../host/firewall/types.ts'
import { isolates } from './posture-file.ts'

/** Null for a host that is to be free. `server`: the base URL by which this device talks to it. */
export function barrierOf(document: Posture, server: string): Barrier | null {
  if (!isolates(document)) return null
  const { port, protocol } = new URL(server)
  const standard = protocol === 'https:' ? 443 : 80
  return {
    generation: document.generation,
    server: { addresses: document.server, port: port === '' ? standard : Number(port) },
    allow: document.isolation.allow,
  }
}
