// Threads that hash, and no more work among them than they can hold.
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { FoundFile } from './types.ts'

export interface WorkerData {
  readonly sha1: string
  /** In bytes; null for any. */
  readonly size: number | null
  /** Not 0 once everybody is to leave off. */
  readonly stop: Int32Array
}
export interface Batch {
  readonly paths: readonly Uint8Array[]
}
export interface Looked {
  readonly found: readonly FoundFile[]
  readonly count: number
}

/** More would wait for the same disk. */
const mostThreads = 4
const batchSize = 32

export interface Pool {
  /** Resolves when there is room for more. Rejects where a thread has died. */
  add(path: Uint8Array): Promise<void>
  /** Everything has been looked at. */
  drained(): Promise<void>
  /** Leaves off, also in the middle of a file. */
  close(): Promise<void>
}

export function openPool(
  { sha1, size }: Pick<WorkerData, 'sha1' | 'size'>,
  looked: (looked: Looked) => void,
): Pool {
  const stop = new Int32Array(new SharedArrayBuffer(4))
  const crew = openCrew({ sha1, size, stop }, looked)
  let batch: Uint8Array[] = []
  const send = async (): Promise<void> => {
    const paths = batch
    batch = []
    const worker = await crew.taken()
    worker.postMessage({ paths } satisfies Batch)
  }
  return {
    add: async (path) => {
      batch.push(path)
      if (batch.length === batchSize) await send()
    },
    drained: async () => {
      if (batch.length > 0) await send()
      const all = await Promise.all(crew.workers.map(() => crew.taken()))
      for (const worker of all) crew.release(worker)
    },
    close: async () => {
      Atomics.store(stop, 0, 1)
      await Promise.all(crew.workers.map((worker) => worker.terminate()))
    },
  }
}

interface Crew {
  readonly workers: readonly Worker[]
  /** One that has nothing to do, as soon as there is one. Rejects where a thread has died. */
  readonly taken: () => Promise<Worker>
  readonly release: (worker: Worker) => void
}

function openCrew(workerData: WorkerData, looked: (looked: Looked) => void): Crew {
  const died = Promise.withResolvers<never>()
  died.promise.catch(() => undefined)
  const free: Worker[] = []
  const waiting: ((worker: Worker) => void)[] = []
  const release = (worker: Worker): void => {
    const next = waiting.shift()
    if (next === undefined) free.push(worker)
    else next(worker)
  }
  const count = Math.max(2, Math.min(mostThreads, availableParallelism()))
  const workers = Array.from({ length: count }, () => {
    const worker = new Worker(new URL('./hash-worker.ts', import.meta.url), { workerData })
    worker.on('message', (said: Looked) => {
      looked(said)
      release(worker)
    })
    worker.on('error', died.reject)
    release(worker)
    return worker
  })
  const taken = (): Promise<Worker> => {
    const worker = free.pop()
    return worker === undefined
      ? Promise.race([new Promise<Worker>((resolve) => waiting.push(resolve)), died.promise])
      : Promise.resolve(worker)
  }
  return { workers, taken, release }
}
