/** The only file that knows which database it is. */
import { statSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import {
  Kysely,
  PostgresDialect,
  SqliteAdapter,
  SqliteDialect,
  type CompiledQuery,
  type QueryResult,
  type SqliteDatabase,
} from 'kysely'
import { Pool, types } from 'pg'
import { isPassing } from './result.ts'
import type { Tables } from './schema.ts'

/** `write` and `read` serve batches, `checkpoint` only carries the log over, `alone` does everything itself. */
export type SqliteMode = 'write' | 'read' | 'checkpoint' | 'alone'

export interface OpenSqlite {
  readonly db: Kysely<Tables>
  /** Called before each batch: bounds the log. */
  readonly beforeBatch: () => void
}

/** The checkpointing thread begins here. */
const logToCarryOver = 4 * 1024 * 1024
/** When the checkpointing thread does not keep up, the writer waits for a whole one, and the log begins anew. */
const longestLog = 64 * 1024 * 1024
/** Not oftener: a page is carried over once for all that was written to it meanwhile, and commits wait for the same disk. */
const checkpointEveryMs = 400
const truncateEveryMs = 1_000
/** For another connection that is just writing. */
const patienceMs = 5_000

/** Opens, or makes, the SQLite file. Every commit is on disk before it returns (`synchronous=FULL` under WAL). */
export function openSqlite(file: string, mode: SqliteMode): OpenSqlite {
  const database = new DatabaseSync(file, { timeout: patienceMs })
  // Of a new file. A commit costs what its pages weigh, and most of what changes is small and lies apart.
  database.exec('PRAGMA page_size = 2048')
  database.exec('PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = FULL')
  database.exec('PRAGMA foreign_keys = ON')
  database.exec('PRAGMA cache_size = -65536')
  if (mode === 'write') database.exec('PRAGMA wal_autocheckpoint = 0')
  if (mode === 'read') database.exec('PRAGMA query_only = ON')
  if (mode === 'checkpoint') {
    setInterval(() => {
      if (logSize(file) > logToCarryOver) carryOver(database, 'PASSIVE')
    }, checkpointEveryMs)
  }
  let notBefore = 0
  const bound = (): void => {
    if (mode !== 'write' || performance.now() < notBefore || logSize(file) <= longestLog) return
    notBefore = performance.now() + truncateEveryMs
    // A reader that takes long, somebody who verifies for example, is not waited for: callers are waiting too.
    database.exec('PRAGMA busy_timeout = 0')
    carryOver(database, 'TRUNCATE')
    database.exec(`PRAGMA busy_timeout = ${patienceMs}`)
  }
  const db = new Kysely<Tables>({ dialect: new OneConnection(adapt(database)) })
  return { db, beforeBatch: bound }
}

/** On a disk that is full or cannot be written it stays in the log, which is whole, and is tried again. */
function carryOver(database: DatabaseSync, how: 'PASSIVE' | 'TRUNCATE'): void {
  try {
    database.prepare(`PRAGMA wal_checkpoint(${how})`).get()
  } catch (thrown) {
    if (!isPassing(thrown)) throw thrown
  }
}

const logSize = (file: string): number => statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0

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

class AtHand extends SqliteAdapter {
  readonly #database: SqliteDatabase

  constructor(database: SqliteDatabase) {
    super()
    this.#database = database
  }

  run<Row>({ sql, parameters }: CompiledQuery<Row>): QueryResult<Row> {
    const statement = this.#database.prepare(sql)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as Kysely's own driver does
    if (statement.reader) return { rows: statement.all(parameters) as Row[] }
    const { changes, lastInsertRowid } = statement.run(parameters)
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
  }
}

/** Does an insert answer the number of its row without being asked? */
export const saysInsertId = (db: Kysely<Tables>): boolean => db.getExecutor().adapter instanceof SqliteAdapter

/**
 * Executes a compiled query. On SQLite's one connection, inside a transaction, at once: the way through Kysely's layers costs
 * as much as the query.
 */
export function execute<Row>(db: Kysely<Tables>, query: CompiledQuery<Row>): Promise<QueryResult<Row>> {
  const { adapter } = db.getExecutor()
  if (!db.isTransaction || !(adapter instanceof AtHand)) return db.executeQuery(query)
  try {
    return Promise.resolve(adapter.run(query))
  } catch (thrown) {
    return Promise.reject(thrown)
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

/** `url`: postgres://user:password@host:port/database; `most`: connections at once. */
export function openPostgres(url: string, most = 10): Kysely<Tables> {
  // They hold our times and counts, which all fit a double.
  types.setTypeParser(types.builtins.INT8, Number)
  const pool = new Pool({
    connectionString: url,
    max: most,
    // oxlint-disable-next-line typescript/no-misused-promises -- the pool waits for it, though its types do not say so
    onConnect: async (client) => {
      client.on('error', saidElsewhere)
      // Whatever the server's own setting: an answer leaves after its commit is on disk.
      await client.query('set synchronous_commit = on')
    },
  })
  pool.on('error', saidElsewhere)
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
}

/** A lost connection fails the work that is on it, or nobody; as an event that nobody hears it would end the process. */
const saidElsewhere = (): void => undefined
