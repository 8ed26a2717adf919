/** Which actions may begin something now: until 30 s after the statement was sent whose reply says so. */
import { startWithinMs } from '@countermand/contract'
import type { Host } from './host/host.ts'

export interface Permits {
  readonly replace: (ids: readonly string[], sentAt: number | null) => void
  readonly isFresh: (id: string) => boolean
  readonly change: () => Promise<void>
  readonly wakeAll: () => void
  readonly ask: () => void
}

export function openPermits(host: Host, syncSoon: () => void): Permits {
  let given = new Set<string>()
  let since: number | null = null
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
    isFresh: (id) => given.has(id) && since !== null && (host.bootSeconds() - since) * 1000 < startWithinMs,
    change: () => new Promise((resolve) => void waiting.push(resolve)),
    wakeAll,
    ask: syncSoon,
  }
}
