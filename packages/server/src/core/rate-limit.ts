/** Sliding windows over the exact times of the calls that were let through. Pure; the counts live behind a port. */
import type { Limit } from '@countermand/contract'

const minute = 60_000
const hour = 60 * minute

/** Which of the kept times still matter at `now`. What lies ahead of it was taken by a clock that has been set back since. */
export const recent = (times: readonly number[], now: number): readonly number[] =>
  times.filter((time) => time > now - hour && time <= now)

/**
 * Milliseconds until a further call is allowed; 0 when it is allowed now. `times` ascend and hold only calls that were
 * let through: asking too early costs nothing but the answer.
 */
export function waitFor(times: readonly number[], limit: Limit, now: number): number {
  return Math.max(
    windowWait(times, limit.perMinute, minute, now),
    windowWait(times, limit.perHour, hour, now),
  )
}

function windowWait(times: readonly number[], allowed: number | null, windowMs: number, now: number): number {
  if (allowed === null) return 0
  if (allowed === 0) return windowMs
  // The call that must have left the window before the next one fits.
  const blocking = times.at(-allowed)
  return blocking === undefined ? 0 : Math.max(0, blocking + windowMs - now)
}
