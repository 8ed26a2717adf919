/** What the two databases do differently once they are open. */
import { hash } from 'node:crypto'
import { SqliteAdapter, type CompiledQuery, type Kysely, type QueryResult, type SqliteDatabase } from 'kysely'
import type { Tables } from './schema.ts'

/** A SQLite connection that need not be asked for, since there is no other. */
export class AtHand extends SqliteAdapter {
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

/** By which name a PostgreSQL connection keeps a statement, of those that are worth it; by text. */
const names = new Map<string, string>()

/** From now on every connection parses and plans this once. It stays until that is closed, so it must not be one of endlessly many. */
export const keepPrepared = (sql: string): void => void names.set(sql, hash('sha256', sql).slice(0, 32))

export const preparedName = (sql: string): string | undefined => names.get(sql)

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
