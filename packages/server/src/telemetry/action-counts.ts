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
  /** Where the stretches begin in which something was open, and where the last one does, to which others are added. */
  const unsettled = new Set<number>()
  let last = 0

  const read = async (): Promise<readonly ActionCount[]> => {
    const all = new Map<string, ActionCount>()
    /** Is it over, and counted for good? */
    const look = async (after: number): Promise<{ isOver: boolean; isLast: boolean }> => {
      const found = await store.read('actionCounts', { after, most: stretch })
      const isLast = found.last <= after + stretch
      const isOver = !isLast && hasEnded(found, now())
      add(isOver ? ended : all, found.counts)
      return { isOver, isLast }
    }
    for (const after of unsettled) if ((await look(after)).isOver) unsettled.delete(after)
    for (;;) {
      const { isOver, isLast } = await look(last)
      if (isLast) break
      if (!isOver) unsettled.add(last)
      last += stretch
    }
    add(all, [...ended.values()])
    return [...all.values()]
  }
  return shared(read, now)
}

/** All of it is there, and all of it has ended. */
const hasEnded = ({ counts, youngest }: Counted, at: Date): boolean =>
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
