/** The store over a SQLite file: one thread that writes, one that reads, one that carries the log over into the file. */
import { Worker } from 'node:worker_threads'
import type { Change, Store } from '../../app/ports.ts'
import type { Done } from './batch.ts'
import { openLane } from './lane.ts'
import type { Item } from '../rooms.ts'
import type { ThreadData } from './thread.ts'
import { isNothing } from '../touched.ts'
import { unpack, type Packed } from './travel.ts'

export interface SqliteStoreOptions {
  readonly file: string
  readonly epoch: string
  readonly now: () => Date
  /** Entry of a thread that serves batches. */
  readonly thread: URL
  /** Told of every commit, after it is on disk and before its callers are. */
  readonly committed: (change: Change) => void
  /** A thread has died; nothing can be stored any more. */
  readonly died: (reason: unknown) => void
}

export function openSqliteStore(options: SqliteStoreOptions): Store {
  const { file, epoch, now, thread, committed, died } = options
  const start = (mode: ThreadData['mode']): Thread =>
    openThread(new Worker(thread, { workerData: { file, epoch, mode } satisfies ThreadData }), died)
  const checkpoint = new Worker(new URL('./checkpoint-thread.ts', import.meta.url), { workerData: { file } })
  const threads = { write: start('write'), read: start('read'), checkpoint: openThread(checkpoint, died) }
  const tell = ({ change }: Done): void => {
    if (!isNothing(change)) committed(change)
  }
  const writes = openLane((items) => threads.write.send(items), tell)
  const reads = openLane(
    (items) => threads.read.send(items),
    () => undefined,
  )
  return {
    // The data folder is locked by this server.
    isShared: false,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the port has paired name, input and answer
    read: (name, input) => reads.add({ name, input, at: now() }) as never,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the port has paired name, input and answer
    write: (name, input) => writes.add({ name, input, at: now() }) as never,
    close: async () => {
      await Promise.all([writes.idle(), reads.idle()])
      await Promise.all(Object.values(threads).map((each) => each.end()))
    },
  }
}

interface Thread {
  send(items: readonly Item[]): Promise<Done>
  end(): Promise<unknown>
}

interface Answer {
  readonly id: number
  readonly result?: Packed
  readonly failed?: string
}

function openThread(worker: Worker, died: SqliteStoreOptions['died']): Thread {
  const open = new Map<number, PromiseWithResolvers<Done>>()
  let ending = false
  let end: unknown = null
  let last = 0
  worker.on('message', ({ id, result, failed }: Answer) => {
    const asked = open.get(id)
    open.delete(id)
    if (result === undefined) asked?.reject(new Error(failed))
    else asked?.resolve(unpack(result))
  })
  const gone = (reason: unknown): void => {
    end ??= reason
    for (const asked of open.values()) asked.reject(reason)
    open.clear()
    if (!ending) died(reason)
  }
  worker.on('error', gone)
  worker.on('exit', (code) => gone(new Error(`A database thread has ended with ${code}.`)))
  return {
    send: (items) => {
      if (end !== null) return Promise.reject(end)
      const asked = Promise.withResolvers<Done>()
      last += 1
      open.set(last, asked)
      worker.postMessage({ id: last, items })
      return asked.promise
    },
    end: () => {
      ending = true
      end ??= new Error('The store is closed.')
      return worker.terminate()
    },
  }
}
