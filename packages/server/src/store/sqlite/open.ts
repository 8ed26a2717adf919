/** The SQLite file as Kysely has it. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { Kysely, SqliteDialect, type SqliteAdapter, type SqliteDatabase } from 'kysely'
import { AtHand } from '../dialect.ts'
import type { Tables } from '../schema.ts'
import { boundLog, openFile } from './file.ts'

/** `write` and `read` serve batches, `alone` does everything itself. */
export type SqliteMode = 'write' | 'read' | 'alone'

export interface OpenSqlite {
  readonly db: Kysely<Tables>
  /** Called before each batch: bounds the log. */
  readonly beforeBatch: () => void
}

/** Opens, or makes, the file. */
export function openSqlite(file: string, mode: SqliteMode): OpenSqlite {
  const database = openFile(file)
  database.exec('PRAGMA foreign_keys = ON')
  database.exec('PRAGMA cache_size = -65536')
  if (mode === 'write') database.exec('PRAGMA wal_autocheckpoint = 0')
  if (mode === 'read') database.exec('PRAGMA query_only = ON')
  const db = new Kysely<Tables>({ dialect: new OneConnection(adapt(database)) })
  return { db, beforeBatch: mode === 'write' ? boundLog(database, file) : nothing }
}

const nothing = (): void => undefined

/** The only connection there is, which need not be asked for. */
class OneConnection extends SqliteDialect {
  readonly #database: SqliteDatabase

  constructor(database: SqliteDatabase) {
    super({ database })
    this.#database = database
  }

  override createAdapter(): SqliteAdapter {
    return new AtHand(this.#database)
  }
}

const nothingDone = { changes: 0, lastInsertRowid: 0 }

/** Statements that stay prepared; the server's own are about a hundred. */
const mostPrepared = 1_000

type Prepared = ReturnType<SqliteDatabase['prepare']>

/** What Kysely expects of a driver, over the built-in one. Statements are prepared once and kept. */
function adapt(database: DatabaseSync): SqliteDatabase {
  const kept = new Map<string, Prepared>()
  const prepare = (sql: string): Prepared => {
    const statement = database.prepare(sql)
    statement.setReturnArrays(true)
    const names = statement.columns().map(({ name }) => name)
    return {
      reader: names.length > 0,
      all: (values) => statement.all(...bound(values)).map((row) => named(names, row)),
      run: (values) => {
        // On a full disk SQLite takes a transaction back by itself; a second time would hide the reason.
        if (sql === 'rollback' && !database.isTransaction) return nothingDone
        return statement.run(...bound(values))
      },
      iterate: (values) => Iterator.from(statement.iterate(...bound(values))).map((row) => named(names, row)),
    }
  }
  return {
    close: () => database.close(),
    prepare: (sql) => {
      let prepared = kept.get(sql)
      if (prepared === undefined) {
        prepared = prepare(sql)
        // Filters have as many forms as somebody cares to write.
        const [oldest] = kept.size < mostPrepared ? [] : kept.keys()
        if (oldest !== undefined) kept.delete(oldest)
        kept.set(sql, prepared)
      }
      return prepared
    },
  }
}

/**
 * A row by its columns' names. The rows that the driver names itself each have a shape of their own, which makes every read of a field
 * of theirs a search.
 */
function named(names: readonly string[], values: unknown): unknown {
  const row: Record<string, unknown> = {}
  if (Array.isArray(values)) for (let at = 0; at < names.length; at += 1) row[names[at] ?? ''] = values[at]
  return row
}

/** Kysely binds what the rows of `schema.ts` hold, and they hold nothing else. */
const bound = (values: readonly unknown[]): SQLInputValue[] =>
  values.map((value) => {
    if (value === null || typeof value === 'string' || typeof value === 'number') return value
    throw new TypeError(`A ${typeof value} cannot be bound.`)
  })
