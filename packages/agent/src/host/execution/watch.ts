import { findDaemons, letGoOn, lookAt, type Daemon } from './daemon.ts'

const everyMs = 1000

/**
 * Once a second. One that is stopped is made to go on at once, before anybody is told: until then whoever opens a file waits, and
 * whoever is told may be about to.
 */
export function watchDaemon(
  source: string,
  { changed, stopped }: { readonly changed: () => void; readonly stopped: (pid: number) => void },
): () => void {
  let last = ours(source)
  const timer = setInterval(() => {
    const now = (last && lookAt(last.pid, source)) ?? ours(source)
    const isNews = now?.pid !== last?.pid
    last = now
    if (now?.isStopped === true) {
      letGoOn(now.pid)
      stopped(now.pid)
    } else if (!isNews) return
    changed()
  }, everyMs)
  return () => clearInterval(timer)
}

const ours = (source: string): Daemon | null => findDaemons(source).find(({ isOurs }) => isOurs) ?? null
