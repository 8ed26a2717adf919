/** What runs inside a thread that has the SQLite file open: batches in, results out. */
import { parentPort, workerData } from 'node:worker_threads'
import { readBatch, writeBatch } from './batch.ts'
import { openSqlite, type SqliteMode } from './open.ts'
import { digestOf } from '../events.ts'
import type { Item, Works } from '../rooms.ts'
import { pack } from './travel.ts'

export interface ThreadData {
  readonly file: string
  readonly epoch: string
  readonly mode: SqliteMode
}

export interface BatchMessage {
  readonly id: number
  readonly items: readonly Item[]
}

/** `works` come from whoever composes the thread; functions cannot be sent to one. */
export function serveBatches(works: { readonly reads: Works; readonly writes: Works }): void {
  const { file, epoch, mode }: ThreadData = workerData
  const { db, beforeBatch } = openSqlite(file, mode)
  const known = { epoch, digest: digestOf }
  parentPort?.on('message', ({ id, items }: BatchMessage) => {
    beforeBatch()
    const done =
      mode === 'write' ? writeBatch(db, works.writes, items, known) : readBatch(db, works.reads, items, known)
    void done.then(
      (result) => parentPort?.postMessage({ id, result: pack(result) }),
      (thrown: unknown) => parentPort?.postMessage({ id, failed: String(thrown) }),
    )
  })
}
