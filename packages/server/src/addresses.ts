/** Where devices reach this server, as addresses: a host that is isolated cannot resolve its name. */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { mostAddresses } from '@countermand/contract'

interface Known {
  readonly deviceAddresses: readonly string[]
  readonly publicUrl: string
  readonly isPublicUrlGiven: boolean
}

export interface Addresses {
  /** `here`: by which address a device has just reached this server; null where something stands between the two. Sorted. */
  of(here: string | null): readonly string[]
  /** Asks again what the name says; a name that nobody answers for keeps what was known. */
  renew(): Promise<void>
}

/** Addresses that are configured stand alone. */
export function openAddresses({ deviceAddresses: given, publicUrl, isPublicUrlGiven }: Known): Addresses {
  const host = !isPublicUrlGiven ? '' : new URL(publicUrl).hostname.replace(/^\[(.*)\]$/, '$1')
  let named: readonly string[] = isIP(host) === 0 ? [] : [host]
  return {
    of: (here) => {
      if (given.length > 0) return sorted(given)
      return sorted(here === null ? named : [...named, here])
    },
    renew: async () => {
      if (given.length > 0 || host === '' || isIP(host) !== 0) return
      const found = await lookup(host, { all: true }).catch(() => [])
      if (found.length > 0) named = found.map(({ address }) => address)
    },
  }
}

/** IPv4 as IPv4, where a socket takes both. */
const sorted = (addresses: readonly string[]): readonly string[] =>
  [...new Set(addresses.map((address) => address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')))]
    .filter((address) => isIP(address) !== 0)
    .toSorted()
    .slice(0, mostAddresses)
