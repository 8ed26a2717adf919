/** Which addresses a device had and who was signed in on it, as far back as somebody may ask. */
import type { Facts } from '@countermand/contract'

export interface AddressSeen {
  /** In small letters. */
  readonly address: string
  /** When a statement first had it, in milliseconds since 1970. */
  readonly from: number
  /** When the last statement that had it was taken; null while the newest has it. */
  readonly until: number | null
}

export interface Logon {
  readonly user: string
  /** In the words of the reference. */
  readonly types: readonly string[]
  /** Milliseconds since 1970: of the statements that named it. */
  readonly firstSeen: number
  readonly lastSeen: number
}

const day = 24 * 60 * 60_000
/** How far back may be asked (`wire.md` 1.5); what ended earlier is not kept. */
export const longestAgoMs = 30 * day
/** A time is met this far on either side. */
export const aroundMs = 15 * 60_000
/** A device that changes its address all the time must not make its row grow without end. */
const mostFormer = 100
const mostLogons = 200
/** In characters; what is longer is none. */
const longestAddress = 45

/** The list itself where nothing has changed. `lastSeen` is of the statement before; null before the first. */
export function seenAddresses(
  kept: readonly AddressSeen[],
  facts: Facts,
  { at, lastSeen }: { readonly at: Date; readonly lastSeen: Date | null },
): readonly AddressSeen[] {
  const said = facts.ipAddresses.map(({ ipAddress }) => ipAddress.toLowerCase())
  const now = new Set(said.filter((address) => address.length <= longestAddress))
  const open = kept.filter(({ until }) => until === null)
  const isSame = open.length === now.size && open.every(({ address }) => now.has(address))
  if (isSame) return kept
  const ended = (lastSeen ?? at).getTime()
  const gone = open.filter(({ address }) => !now.has(address))
  const former = [
    ...kept.filter(({ until }) => until !== null),
    ...gone.map((each) => ({ ...each, until: Math.max(ended, each.from) })),
  ].filter(({ until }) => until !== null && until >= at.getTime() - longestAgoMs - aroundMs)
  const staying = open.filter(({ address }) => now.has(address))
  const known = new Set(staying.map(({ address }) => address))
  const fresh = [...now].filter((address) => !known.has(address))
  const begun = fresh.map((address) => ({ address, from: at.getTime(), until: null }))
  return [...former.slice(-mostFormer), ...staying, ...begun]
}

/** Had the device this address around that time? */
export const hadAddress = (
  { addresses, lastSeen }: { readonly addresses: readonly AddressSeen[]; readonly lastSeen: Date | null },
  address: string,
  at: Date,
): boolean =>
  addresses.some((seen) => {
    if (seen.address !== address) return false
    const until = seen.until ?? Math.max(lastSeen?.getTime() ?? 0, seen.from)
    return seen.from - aroundMs <= at.getTime() && at.getTime() <= until + aroundMs
  })

/** Those who were signed in, with those who are; a device that says nothing of users changes nothing. */
export function seenLogons(kept: readonly Logon[], { users = [] }: Facts, at: Date): readonly Logon[] {
  if (users.length === 0) return kept
  const found = new Map(kept.map((logon) => [logon.user, logon]))
  for (const { name, type } of users) {
    const before = found.get(name)
    const types = [...new Set([...(before?.types ?? []), type])].toSorted()
    // The latest stands last, so that the list forgets who has not been seen for longest.
    found.delete(name)
    found.set(name, {
      user: name,
      types,
      firstSeen: before?.firstSeen ?? at.getTime(),
      lastSeen: at.getTime(),
    })
  }
  return [...found.values()].slice(-mostLogons)
}
