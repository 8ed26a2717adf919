import type { Limit, LimitClass } from '@countermand/contract'
import type { Counters } from '../app/ports.ts'
import { recent, waitFor } from '../core/rate-limit.ts'

/** The counts of a single process. They begin anew with it, in the caller's favour. */
export function memoryCounters(limits: Readonly<Record<LimitClass, Limit>>): Counters {
  const taken = new Map<string, readonly number[]>()
  return {
    take: (caller, name, at) => {
      const limit = limits[name]
      if (limit.perMinute === null && limit.perHour === null) return Promise.resolve(0)
      const key = `${name} ${caller}`
      const now = at.getTime()
      const times = recent(taken.get(key) ?? [], now)
      const wait = waitFor(times, limit, now)
      taken.set(key, wait > 0 ? times : [...times, now])
      return Promise.resolve(wait)
    },
  }
}
