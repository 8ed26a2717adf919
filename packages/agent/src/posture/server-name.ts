/**
 * Where the server's name leads to while names cannot be resolved: Node's `fetch` asks `dns.lookup`, which is answered here for that
 * one name with the addresses of the latest posture; the name that TLS checks stays the URL's.
 */
import dns, { type LookupAddress, type LookupOptions } from 'node:dns'
import { isIP } from 'node:net'

type Done = (error: NodeJS.ErrnoException | null, found: string | LookupAddress[], family?: number) => void

interface Pinned {
  readonly found: readonly LookupAddress[]
  /** A barrier stands: nobody else can be asked, or reached. */
  readonly only: boolean
}

/** Of the process, like what `trustOnly` says. */
const pinned = new Map<string, Pinned>()
const ask = dns.lookup

/** From now on the name in this URL leads there. Without a barrier whoever resolves names is asked first: a server may have moved. */
export function pinServer(server: string, addresses: readonly string[], only: boolean): void {
  const { hostname } = new URL(server)
  if (isIP(hostname.replace(/^\[(.*)\]$/, '$1')) !== 0) return
  const found = addresses.map((address) => ({ address, family: isIP(address) }))
  if (found.length === 0) return void pinned.delete(hostname)
  pinned.set(hostname, { found, only })
  Object.assign(dns, { lookup })
}

function lookup(name: string, given: LookupOptions | number | Done | undefined, then?: Done): void {
  const done = typeof given === 'function' ? given : then
  const options = typeof given === 'object' ? given : { family: typeof given === 'number' ? given : 0 }
  if (done === undefined) throw new TypeError('dns.lookup needs somebody to tell')
  const known = pinned.get(name)
  const all = { ...options, all: true } as const
  if (known === undefined) return ask(name, options, done)
  if (known.only) return answer(known.found, options, done)
  ask(name, all, (error, found) => {
    const more = error === null ? found : []
    const others = known.found.filter(({ address }) => more.every((each) => each.address !== address))
    answer([...more, ...others], options, done)
  })
}

function answer(found: readonly LookupAddress[], { all, family }: LookupOptions, done: Done): void {
  const wanted = family === 4 || family === 'IPv4' ? 4 : family === 6 || family === 'IPv6' ? 6 : 0
  const fitting = found.filter((each) => wanted === 0 || each.family === wanted)
  const [first] = fitting
  // As `dns.lookup` has it: never before the call has returned.
  process.nextTick(() => {
    if (first === undefined)
      done(Object.assign(new Error('none of its addresses is of that family'), { code: 'ENOTFOUND' }), [])
    else if (all) done(null, [...fitting])
    else done(null, first.address, first.family)
  })
}
