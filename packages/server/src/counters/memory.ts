import type { Limit, LimitClass } from '@countermand/contract'
import type { Counters } from '../app/ports.ts'
import { recent, waitFor } from '../core/rate-limit.ts'

/** The counts of a single process. They begin anew with it, in the caller's favour. */
export function memoryCounters(
  limits: Readonly<Record<LimitClass, Limit>> & Readonly<Record<string, Limit | undefined>>,
): Counters {
  const taken = new Map<string, readonly number[]>()
  return {
    take: (caller, call, at) => {
      const own = limits[call.operation]
      const limit = own ?? limits[call.class]
      if (limit.perMinute === null && limit.perHour === null) return Promise.resolve(0)
      const key = `${own === undefined ? call.class : call.operation} ${caller}`
      const now = at.getTime()
      const times = recent(taken.get(key) ?? [], now)
      const wait = waitFor(times, limit, now)
      taken.set(key, wait > 0 ? times : [...times, now])
      return Promise.resolve(wait)
    },
  }
}
