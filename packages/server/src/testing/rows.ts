/** What is in a database, by a connection of the test's own, at once: until it has answered nothing else happens here. */
import { join } from 'node:path'
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import { MessageChannel, Worker, receiveMessageOnPort } from 'node:worker_threads'
import type { Config } from '../config/index.ts'

export type Row = Readonly<Record<string, SQLOutputValue>>
export type Value = string | number

export interface Rows {
  /** Values stand for question marks. */
  readonly all: (sql: string, ...values: readonly Value[]) => readonly Row[]
  readonly exec: (sql: string) => void
  readonly close: () => void
}

export const openRows = ({ dataFolder, databaseUrl }: Pick<Config, 'dataFolder' | 'databaseUrl'>): Rows =>
  databaseUrl === null ? ofSqlite(join(dataFolder, 'countermand.db')) : ofPostgres(databaseUrl)

function ofSqlite(file: string): Rows {
  const db = new DatabaseSync(file, { timeout: 5_000 })
  return {
    all: (sql, ...values) => db.prepare(sql).all(...values),
    exec: (sql) => db.exec(sql),
    close: () => db.close(),
  }
}

/** What the thread is asked, and what it answers. */
export interface Asked {
  readonly sql: string
  readonly values: readonly Value[]
}
export type Answered = { readonly rows: readonly Row[] } | { readonly failed: string }

const patienceMs = 10_000

function ofPostgres(url: string): Rows {
  const { port1: here, port2: there } = new MessageChannel()
  /** Set and rung by the thread when an answer lies ready. */
  const bell = new Int32Array(new SharedArrayBuffer(4))
  const workerData = { url, bell, there }
  const thread = new Worker(new URL('./postgres-rows.ts', import.meta.url), {
    workerData,
    transferList: [there],
  })
  thread.unref()
  const all: Rows['all'] = (sql, ...values) => {
    Atomics.store(bell, 0, 0)
    let last = 0
    const asked: Asked = { sql: sql.replaceAll('?', () => `$${++last}`), values }
    here.postMessage(asked)
    Atomics.wait(bell, 0, 0, patienceMs)
    const answered: { message: Answered } | undefined = receiveMessageOnPort(here)
    if (answered === undefined) throw new Error(`no answer to ${sql}`)
    if ('failed' in answered.message) throw new Error(`${answered.message.failed}: ${sql}`)
    return answered.message.rows
  }
  return {
    all,
    exec: (sql) => void all(sql),
    close: () => here.close(),
  }
}
