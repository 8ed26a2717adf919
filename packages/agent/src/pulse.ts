/** Lets people see how far things are: asks for a sync now and then while something runs and gets on, seldom once it takes long. */
import type { Runner } from './runner.ts'

const lookMs = 1_000
const shortestMs = 2_000
const longestMs = 30_000

/** The pause before the next sync for the sake of progress, when something has been running for so long. */
export const pauseAfter = (runningMs: number): number =>
  Math.min(Math.max(shortestMs, runningMs / 10), longestMs)

export function openPulse({
  runner,
  syncSoon,
  now,
}: {
  readonly runner: Pick<Runner, 'progress'>
  readonly syncSoon: () => void
  /** Milliseconds, by a clock that is never set. */
  readonly now: () => number
}): { stop(): void } {
  let [shown, shownAt, since] = ['[]', now(), now()]
  const timer = setInterval(() => {
    const progress = runner.progress()
    const seen = JSON.stringify(progress)
    if (progress.length === 0) since = now()
    if (seen === shown || progress.length === 0 || now() - shownAt < pauseAfter(now() - since)) return
    shown = seen
    shownAt = now()
    syncSoon()
  }, lookMs)
  return { stop: () => clearInterval(timer) }
}
