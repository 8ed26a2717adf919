/** Looks once a second. A daemon that is stopped is made to go on before anybody is told: whoever is told may be about to wait for it. */
import { parentPort, workerData } from 'node:worker_threads'
import { findDaemons, letGoOn, lookAt, type Daemon } from './daemon.ts'
import type { Seen } from './watch.ts'

const everyMs = 1000

const { source, first }: { source: string; first: Daemon | null } = workerData
const ours = (): Daemon | null => findDaemons(source).find(({ isOurs }) => isOurs) ?? null
const tell = (seen: Seen): void => parentPort?.postMessage(seen)

let last = first

setInterval(() => {
  const now = (last && lookAt(last.pid, source)) ?? ours()
  if (now?.isStopped === true) letGoOn(now.pid)

  const isOther = now?.pid !== last?.pid
  // One may be stopped before it was ever seen to run.
  if (now?.isStopped === true && (isOther || last?.isStopped === false)) tell({ stopped: now.pid })
  else if (isOther) tell({ stopped: null })
  last = now
}, everyMs)
