import { Worker } from 'node:worker_threads'
import { findDaemons } from './daemon.ts'

export interface Seen {
  /** Of one that was stopped; null for one that has begun or ended. */
  readonly stopped: number | null
}

/** In a thread of its own: while the daemon is stopped, Node's first one waits as soon as it starts a program. */
export function watchDaemon(
  source: string,
  heard: (seen: Seen) => void,
  log: (line: string) => void,
): () => void {
  // As it is now, and not as it is when the thread begins.
  const first = findDaemons(source).find(({ isOurs }) => isOurs) ?? null
  const worker = new Worker(new URL('watch-thread.ts', import.meta.url), { workerData: { source, first } })
  worker.unref()
  worker.on('message', heard)
  worker.on('error', (thrown) => log(`nobody watches what restricts this host: ${String(thrown)}`))
  return () => void worker.terminate()
}
