/** Which actions may begin something now: until 30 s after the statement was sent whose reply says so. */
import { startWithinMs } from '@countermand/contract'
import type { Host } from './host/host.ts'

export interface Permits {
  readonly replace: (ids: readonly string[], sentAt: number | null) => void
  /** `sentFrom`: by a statement that was not sent before, in seconds since boot. */
  readonly isFresh: (id: string, sentFrom?: number) => boolean
  /** From now on nothing is begun but this; null lets everything begin again. */
  readonly only: (id: string | null) => void
  /** Is the door open for it? Whatever has begun may go on. */
  readonly mayBegin: (id: string) => boolean
  readonly change: () => Promise<void>
  readonly wakeAll: () => void
  readonly ask: () => void
}

export function openPermits(host: Host, syncSoon: () => void): Permits {
  let given = new Set<string>()
  let since: number | null = null
  let alone: string | null = null
  let waiting: (() => void)[] = []
  const wakeAll = (): void => {
    const woken = waiting
    waiting = []
    for (const wake of woken) wake()
  }
  return {
    replace: (ids, sentAt) => {
      given = new Set(ids)
      since = sentAt
      wakeAll()
    },
    isFresh: (id, sentFrom = -Infinity) =>
      given.has(id) &&
      since !== null &&
      since >= sentFrom &&
      (host.bootSeconds() - since) * 1000 < startWithinMs,
    only: (id) => {
      alone = id
      wakeAll()
    },
    mayBegin: (id) => alone === null || alone === id,
    change: () => new Promise((resolve) => void waiting.push(resolve)),
    wakeAll,
    ask: syncSoon,
  }
}
