/** The only file that knows which database it is. */
import { statSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { Kysely, PostgresDialect, SqliteDialect, type SqliteDatabase } from 'kysely'
import { Pool, types } from 'pg'
import type { Tables } from './schema.ts'

/** `write` and `read` serve batches, `checkpoint` only carries the log over, `alone` does everything itself. */
export type SqliteMode = 'write' | 'read' | 'checkpoint' | 'alone'

export interface OpenSqlite {
  readonly db: Kysely<Tables>
  /** Called before each batch: bounds the log. */
  readonly beforeBatch: () => void
}

/** The checkpointing thread begins here; it costs the writer nothing. */
const logToCarryOver = 4 * 1024 * 1024
/** When the checkpointing thread does not keep up, the writer waits for a whole one, and the log begins anew. */
const longestLog = 64 * 1024 * 1024
const checkpointEveryMs = 100

/** Opens, or makes, the SQLite file. Every commit is on disk before it returns (`synchronous=FULL` under WAL). */
export function openSqlite(file: string, mode: SqliteMode): OpenSqlite {
  const database = new DatabaseSync(file, { timeout: 5_000 })
  database.exec('PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = FULL')
  database.exec('PRAGMA foreign_keys = ON')
  database.exec('PRAGMA cache_size = -65536')
  if (mode === 'write') database.exec('PRAGMA wal_autocheckpoint = 0')
  if (mode === 'read') database.exec('PRAGMA query_only = ON')
  const carryOver = (): unknown => database.prepare('PRAGMA wal_checkpoint(PASSIVE)').get()
  if (mode === 'checkpoint') {
    setInterval(() => {
      if (logSize(file) > logToCarryOver) carryOver()
    }, checkpointEveryMs)
  }
  const bound = (): void => {
    if (mode === 'write' && logSize(file) > longestLog)
      database.prepare('PRAGMA wal_checkpoint(RESTART)').get()
  }
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: adapt(database) }) })
  return { db, beforeBatch: bound }
}

const logSize = (file: string): number => statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0

const nothingDone = { changes: 0, lastInsertRowid: 0 }

type Prepared = ReturnType<SqliteDatabase['prepare']>

/** What Kysely expects of a driver, over the built-in one. Statements are prepared once and kept. */
function adapt(database: DatabaseSync): SqliteDatabase {
  const kept = new Map<string, Prepared>()
  const prepare = (sql: string): Prepared => {
    const statement = database.prepare(sql)
    return {
      reader: statement.columns().length > 0,
      all: (values) => statement.all(...bound(values)),
      run: (values) => {
        // On a full disk SQLite takes a transaction back by itself; a second time would hide the reason.
        if (sql === 'rollback' && !database.isTransaction) return nothingDone
        return statement.run(...bound(values))
      },
      iterate: (values) => statement.iterate(...bound(values)),
    }
  }
  return {
    close: () => database.close(),
    prepare: (sql) => {
      let prepared = kept.get(sql)
      if (prepared === undefined) {
        prepared = prepare(sql)
        kept.set(sql, prepared)
      }
      return prepared
    },
  }
}

/** Kysely binds what the rows of `schema.ts` hold, and they hold nothing else. */
const bound = (values: readonly unknown[]): SQLInputValue[] =>
  values.map((value) => {
    if (value === null || typeof value === 'string' || typeof value === 'number') return value
    throw new TypeError(`A ${typeof value} cannot be bound.`)
  })

/** PostgreSQL numbers of 8 bytes hold our times and counts, which all fit a double. */
const eightByteInteger = 20

/** `url`: postgres://user:password@host:port/database */
export function openPostgres(url: string): Kysely<Tables> {
  types.setTypeParser(eightByteInteger, Number)
  return new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: new Pool({ connectionString: url, max: 10 }) }),
  })
}
