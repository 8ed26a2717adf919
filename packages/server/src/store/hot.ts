/** Queries that run thousands of times a second are written with Kysely like all others, and compiled once. */
import type { Compilable, CompiledQuery, Kysely, QueryResult } from 'kysely'
import { execute, keepPrepared } from './dialect.ts'
import type { Tables } from './schema.ts'

/** Stands for a value that is bound later. */
class Hole {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** `hole.id` takes the place of the value `id` while the query is written. */
const holes = new Proxy({}, { get: (_, name) => new Hole(String(name)) })

/**
 * A query over values of the given shape. Compiled at its first use for each kind of database, then only bound: what it is
 * must not depend on the values, and what it answers must not be `*` (a kept statement is refused once that has changed).
 */
export function hot<Values extends object, Row>(
  write: (db: Kysely<Tables>, hole: Values) => Compilable<Row>,
): (db: Kysely<Tables>, values: Values) => Promise<QueryResult<Row>> {
  const compiled = new Map<unknown, CompiledQuery<Row>>()
  return async (db, values) => {
    const kind = db.getExecutor().adapter.constructor
    let query = compiled.get(kind)
    if (query === undefined) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- holes have every name, and are gone before anything runs
      query = write(db, holes as Values).compile()
      compiled.set(kind, query)
      keepPrepared(query.sql)
    }
    const parameters = query.parameters.map((value) =>
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the hole was read off these very values
      value instanceof Hole ? values[value.name as keyof Values] : value,
    )
    return execute(db, { ...query, parameters })
  }
}
