/**
 * Carries actions out, and takes them back: journal → start → steps → report; cancel → freeze, kill, prove → report (`task.ts`).
 * `cancel` and `shutdown` are two different stops: the first ends what runs and proves it, the second leaves it running for the
 * next agent to take up.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Progress } from '@countermand/contract'
import { isToBeUndone, type Record } from './journal.ts'
import { beforeAnotherTry } from './patience.ts'
import { openPermits } from './permits.ts'
import type { RunnerParts, Stops } from './runner-parts.ts'
import { Task } from './task.ts'
import { plainly } from './trouble.ts'

export interface Runner {
  /** Is somebody at work on it, who will also tell its end? */
  holds(id: string): boolean
  /** Takes up an action that is in the journal: a new one, one that an earlier agent held, or one whose end is still to be told. */
  take(record: Record): void
  /** Which actions may start, or begin their next step, until 30 s after `sentAt`. Replaces every earlier permission. */
  permit(ids: readonly string[], sentAt: number | null): void
  /** The cancel of an action that has begun is in the journal: end it. */
  cancel(id: string): void
  /** The server has stopped waiting for an action: the step that it is in goes to its end, and no other begins. */
  giveUp(id: string): void
  /** How far everything is that runs. */
  progress(): readonly Progress[]
  /** Leaves everything running, and waits until nothing is half written. */
  shutdown(): Promise<void>
}

interface Held {
  readonly cancelled: AbortController
  readonly givenUp: AbortController
  /** Who is at it now; another one after something was refused. */
  task: Task | null
  work: Promise<void>
}

/** How often it is looked whether something still runs. */
const lookMs = 100

export function openRunner(parts: RunnerParts): Runner {
  const held = new Map<string, Held>()
  const leaving = new AbortController()
  const permits = openPermits(parts.host, parts.syncSoon)
  const end = (signal: AbortController | undefined): void => {
    permits.wakeAll()
    signal?.abort()
  }
  const take = (record: Record): void => {
    const { id } = record.offer
    if (held.has(id)) return
    const [cancelled, givenUp] = [new AbortController(), new AbortController()]
    if (record.cancelledAt !== null) cancelled.abort()
    const one: Held = { cancelled, givenUp, task: null, work: Promise.resolve() }
    const stops = {
      cancelled: cancelled.signal,
      givenUp: givenUp.signal,
      leaving: leaving.signal,
      permits,
      alone: (signal: AbortSignal) => {
        permits.only(id)
        return untilAlone(held, id, signal)
      },
    }
    held.set(id, one)
    one.work = carryOut(parts, record, stops, (task) => (one.task = task))
      .finally(() => held.delete(id))
      .then(() => again(id))
  }
  // A cancel that came when it was all but over.
  const again = async (id: string): Promise<void> => {
    const record = await parts.journal.find(id).catch(() => null)
    if (record !== null && isToBeUndone(record) && !leaving.signal.aborted) take(record)
  }
  return {
    take,
    holds: (id) => held.has(id),
    permit: permits.replace,
    cancel: (id) => end(held.get(id)?.cancelled),
    giveUp: (id) => end(held.get(id)?.givenUp),
    progress: () =>
      [...held.values()].map(({ task }) => task?.progress() ?? null).filter((now) => now !== null),
    shutdown: async () => {
      end(leaving)
      await Promise.all([...held.values()].map(({ work }) => work))
    },
  }
}

/** Until nothing else runs; what only waits to begin does not count. */
async function untilAlone(held: ReadonlyMap<string, Held>, id: string, signal: AbortSignal): Promise<void> {
  while ([...held].some(([other, { task }]) => other !== id && task?.isWaiting !== true))
    await pause(lookMs, undefined, { signal })
  signal.throwIfAborted()
}

/**
 * What a disk or a host refuses now is taken up again from the journal, as the next agent would, and without waiting for one.
 * Never rejects.
 */
async function carryOut(
  parts: RunnerParts,
  record: Record,
  stops: Stops,
  by: (task: Task) => void,
): Promise<void> {
  const { id } = record.offer
  let now: Record | null = record
  for (let failures = 0; now !== null && !stops.leaving.aborted; failures += 1) {
    try {
      const task = new Task(parts, now, stops)
      by(task)
      return await task.run()
    } catch (thrown) {
      if (stops.leaving.aborted) return
      if (failures % 10 === 0) parts.log(`action ${id}, try ${failures + 1}: ${plainly(thrown)}`)
      await beforeAnotherTry(failures, stops.leaving).catch(() => undefined)
      const before: Record = now
      now = await parts.journal.find(id).catch(() => before)
    }
  }
}
