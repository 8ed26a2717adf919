/** How many actions there are by type and phase, from the database, without a large look at it. */
import type { ActionType, Phase } from '@countermand/contract'
import type { Store } from '../app/ports.ts'
import type { ActionCount, Counted } from '../app/telemetry.ts'

/** Actions looked at in one go. */
const stretch = 1_000
/** A transaction takes its numbers when it begins to write, and may commit after younger ones; never by so much. */
const settledAfterMs = 60_000
/** Scrapes that come closer than this are given the same. */
const freshForMs = 5_000

export type ReadCounts = () => Promise<readonly ActionCount[]>

const finals: readonly Phase[] = ['succeeded', 'failed', 'timed_out', 'cancelled']

/**
 * What has ended never changes: a stretch of actions all of which have ended is counted once and remembered, so that only
 * those with open ones are looked at again. Nothing is kept in the database for it, and it is right after a restart and
 * beside other servers, because it trusts no commit of its own.
 */
export function openActionCounts(store: Store, now: () => Date): ReadCounts {
  const ended = new Map<string, ActionCount>()
  /** Where the stretches begin that have open actions, and where the next unseen one does. */
  let unsettled: readonly number[] = []
  let next = 0

  const read = async (): Promise<readonly ActionCount[]> => {
    const still: number[] = []
    const open = new Map<string, ActionCount>()
    const look = async (after: number): Promise<Counted> => {
      const found = await store.read('actionCounts', { after, most: stretch })
      const isSettled = isOver(found, after, now())
      add(isSettled ? ended : open, found.counts)
      if (!isSettled) still.push(after)
      return found
    }
    const before = unsettled
    for (const [index, after] of before.entries()) {
      // Should a later look fail, what has been settled by then must not be counted twice.
      unsettled = [...still, ...before.slice(index + 1)]
      await look(after).catch((thrown: unknown) => {
        unsettled = [...still, ...before.slice(index)]
        throw thrown
      })
      unsettled = [...still, ...before.slice(index + 1)]
    }
    for (;;) {
      const { last } = await look(next)
      next += stretch
      unsettled = [...still]
      if (last <= next) break
    }
    const all = new Map(ended)
    add(all, [...open.values()])
    return [...all.values()]
  }
  return shared(read, now)
}

/** All of it is there, and all of it has ended. */
const isOver = ({ counts, youngest, last }: Counted, after: number, at: Date): boolean =>
  last >= after + stretch &&
  youngest !== null &&
  at.getTime() - youngest.getTime() > settledAfterMs &&
  counts.every(({ phase }) => finals.includes(phase))

function add(to: Map<string, ActionCount>, counts: readonly ActionCount[]): void {
  for (const { type, phase, count } of counts) {
    const key = keyOf(type, phase)
    to.set(key, { type, phase, count: count + (to.get(key)?.count ?? 0) })
  }
}

const keyOf = (type: ActionType, phase: Phase): string => `${type} ${phase}`

/** One look at a time, and none where the last is fresh. */
function shared(read: ReadCounts, now: () => Date): ReadCounts {
  let last: { readonly at: number; readonly counts: ReturnType<ReadCounts> } | null = null
  return () => {
    const at = now().getTime()
    if (last !== null && at - last.at < freshForMs) return last.counts
    const counts = (last?.counts.catch(() => null) ?? Promise.resolve(null)).then(read)
    const mine = { at, counts }
    last = mine
    counts.catch(() => {
      if (last === mine) last = null
    })
    return counts
  }
}
