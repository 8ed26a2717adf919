/** How long who has failed to sign in waits before the next attempt is looked at. Pure; the counts live behind a port. */

const second = 1_000
const minute = 60 * second

/** Failed attempts that cost nothing: a secret that was pasted wrong, a client that tries again at once. */
const freeFailures = 5
const longestWaitMs = 5 * minute
/** After so long without a failure all is as before. */
const forgottenMs = 15 * minute

/** Attempts of one client from one address that have failed since the last that did not. */
export interface Failures {
  readonly count: number
  /** Milliseconds since 1970. */
  readonly lastAt: number
}

export const oneMore = (before: Failures | undefined, now: number): Failures => ({
  count: isForgotten(before, now) ? 1 : before.count + 1,
  lastAt: now,
})

/** Milliseconds from `now`: from the fifth failure on 1 s, 2 s, 4 s … and at most 5 minutes after the last one. */
export function waitAfter(failures: Failures | undefined, now: number): number {
  if (isForgotten(failures, now) || failures.count < freeFailures) return 0
  const wait = Math.min(longestWaitMs, second * 2 ** (failures.count - freeFailures))
  return Math.max(0, failures.lastAt + wait - now)
}

/** A clock that was set back makes a failure that is yet to come: nobody waits for that. */
const isForgotten = (failures: Failures | undefined, now: number): failures is undefined =>
  failures === undefined || now >= failures.lastAt + forgottenMs || failures.lastAt > now

/** From one address, whichever clients they name: who tries many clients is slowed as well. */
export const failuresOfAnAddress = { perMinute: 60, perHour: null }

/**
 * Whom an address stands for: itself, or with IPv6 its network of 64 bits, since whoever has one address has all of those. An IPv4
 * address that is written as IPv6 is what it is.
 */
export function networkOf(address: string): string {
  const plain = address
    .toLowerCase()
    .replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, '')
    .replace(/%.*$/, '')
  if (!plain.includes(':')) return plain
  const [front = '', back] = plain.split('::')
  const groups = front === '' ? [] : front.split(':')
  const after = back === undefined || back === '' ? [] : back.split(':')
  const zeros = back === undefined ? 0 : Math.max(0, 8 - groups.length - after.length)
  const all = [...groups, ...Array.from({ length: zeros }, () => '0'), ...after]
  return `${all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`
}
