/** Isolation: what may pass to and from this host. */
import type { Allowed, Posture as Document } from '@countermand/contract'
import type { Barrier, Firewall } from '../host/firewall/types.ts'
import type { Control, Pin } from './control.ts'
import { isActive } from './posture-file.ts'

export const openIsolation = (firewall: Firewall, server: string | null, pin?: Pin): Control => ({
  aspect: 'isolation',
  needsContact: true,
  isSlow: false,
  lack: () => firewall.lack(),
  apply: async (document) => firewall.apply(barrierOf(document, server)),
  difference: async (document) => firewall.difference(barrierOf(document, server)),
  watch: (changed) => firewall.watch(changed),
  arrange: (wanted, latest) => {
    const isIsolated = isActive(wanted)
    pin?.((isIsolated ? wanted : (latest ?? wanted)).passage?.server ?? [], isIsolated)
  },
  describe,
})

/** Null for a host that is to be free. `server`: the base URL by which this device talks to it. */
export function barrierOf({ generation, type, passage }: Document, server: string | null): Barrier | null {
  if (type === 'None') return null
  if (server === null) throw new Error('an isolation needs a server that it lets pass')
  const { port, protocol } = new URL(server)
  const standard = protocol === 'https:' ? 443 : 80
  return {
    generation,
    server: { addresses: passage?.server ?? [], port: port === '' ? standard : Number(port) },
    allow: passage?.allow ?? [],
  }
}

function describe({ type, passage }: Document): ReturnType<Control['describe']> {
  if (type === 'None') return { state: 'not isolated', details: [] }
  const { server = [], allow = [] } = passage ?? {}
  return {
    state: `isolated (${type})`,
    details: [
      `Its server is reached at ${server.join(', ') || 'no address'}.`,
      ...(allow.length === 0 ? [] : [`What passes besides: ${allow.map(named).join('; ')}.`]),
    ],
  }
}

function named(allowed: Allowed): string {
  if ('owner' in allowed) return `processes of ${allowed.owner}`
  const { address, ports, protocol = 'tcp' } = allowed
  return ports === undefined ? address : `${address} ${protocol} ${ports.join(', ')}`
}
