/** What an isolation asks for, checked: nothing that came from the server goes further as it came. */
import { isIP } from 'node:net'
import type { Barrier } from './types.ts'

export interface Address {
  readonly family: 'ip' | 'ip6'
  /** One, or a network by its length. */
  readonly text: string
}

export interface Destination {
  readonly address: Address
  /** Null: all of them, and every protocol. */
  readonly ports: { readonly protocol: 'tcp' | 'udp'; readonly numbers: readonly number[] } | null
}

export interface Plan {
  readonly generation: number
  readonly server: { readonly addresses: readonly Address[]; readonly port: number }
  readonly destinations: readonly Destination[]
  /** Users of this host, by number. */
  readonly owners: readonly number[]
}

/** Throws in plain words. `uidOf`: null for a user that this host does not have, who is left out. */
export async function planOf(
  { generation, server, allow }: Barrier,
  uidOf: (name: string) => Promise<number | null>,
): Promise<Plan> {
  if (!Number.isSafeInteger(generation) || generation < 0)
    throw new Error('The generation of an isolation is no whole number.')
  // Without one, the host would be cut off from whoever could ever lift it.
  if (server.addresses.length === 0)
    throw new Error('The addresses of the control server are not known, so this host is not isolated.')
  const addresses = unique(server.addresses.map((text) => addressOf(text, 'one')))
  const port = portOf(server.port)
  const destinations: Destination[] = []
  const names = new Set<string>()
  for (const allowed of allow) {
    if ('owner' in allowed) names.add(ownerOf(allowed.owner))
    else destinations.push(destinationOf(allowed))
  }
  const uids = await Promise.all([...names].map((name) => uidOf(name)))
  const owners = [...new Set(uids.filter((uid) => uid !== null))].toSorted((a, b) => a - b)
  return { generation, server: { addresses, port }, destinations: unique(destinations), owners }
}

function destinationOf(allowed: {
  readonly address: string
  readonly ports?: readonly number[]
  readonly protocol?: 'tcp' | 'udp'
}): Destination {
  const address = addressOf(allowed.address, 'network')
  const { ports, protocol = 'tcp' } = allowed
  if (ports === undefined) return { address, ports: null }
  if (protocol !== 'tcp' && protocol !== 'udp')
    throw new Error(`${quoted(protocol)} is neither tcp nor udp, so nothing was changed.`)
  const numbers = [...new Set(ports.map(portOf))].toSorted((a, b) => a - b)
  if (numbers.length === 0) throw new Error(`${quoted(allowed.address)} is allowed on a list of no ports.`)
  return { address, ports: { protocol, numbers } }
}

function addressOf(text: string, kind: 'one' | 'network'): Address {
  const [, host = '', length] = /^([0-9A-Fa-f:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  // What a socket for both families calls it; on the wire it is IPv4.
  const plain = length === undefined ? host.replace(/^::ffff:(?=\d+\.)/i, '') : host
  const version = isIP(plain)
  const isLengthRight = length === undefined || (kind === 'network' && Number(length) <= bitsOf(version))
  if (version === 0 || !isLengthRight) {
    const words = kind === 'one' ? 'IPv4 or IPv6 address' : 'IPv4 or IPv6 address or network'
    throw new Error(`${quoted(text)} is no ${words}, so nothing was changed.`)
  }
  return {
    family: version === 4 ? 'ip' : 'ip6',
    text: length === undefined ? plain : `${plain}/${Number(length)}`,
  }
}

const bitsOf = (version: number): number => (version === 4 ? 32 : 128)

function portOf(port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port
  throw new Error(`${quoted(port)} is no port, so nothing was changed.`)
}

function ownerOf(name: string): string {
  if (/^[A-Za-z0-9_.-]{1,64}$/.test(name)) return name
  throw new Error(`${quoted(name)} is no name of a user, so nothing was changed.`)
}

const quoted = (value: unknown): string => JSON.stringify(String(value).slice(0, 80))

function unique<T>(values: readonly T[]): T[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()]
}
