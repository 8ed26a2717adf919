// Is it this very host that a name or an address means?
import { lookup } from 'node:dns'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { promisify } from 'node:util'

const addressesOf = promisify(lookup)

/** Throws where a name cannot be resolved. `host` as a URL has it, so IPv6 may stand in brackets. */
export async function isThisHost(host: string): Promise<boolean> {
  const name = host.replace(/^\[(.*)\]$/, '$1')
  const found = isIP(name) === 0 ? await addressesOf(name, { all: true }) : [{ address: name }]
  const own = Object.values(networkInterfaces()).flatMap((each) => each?.map(({ address }) => address) ?? [])
  return found.some(({ address }) => isLoopback(address) || own.includes(address))
}

const isLoopback = (address: string): boolean =>
  address === '::1' || /^(::ffff:)?127\./.test(address) || address === '0.0.0.0' || address === '::'
