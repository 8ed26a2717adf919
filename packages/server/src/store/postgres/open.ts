/** PostgreSQL as Kysely has it. */
import { Kysely, PostgresDialect } from 'kysely'
import { Client, Pool, types } from 'pg'
import { preparedName } from '../dialect.ts'
import type { Tables } from '../schema.ts'

/** `url`: postgres://user:password@host:port/database; `most`: connections at once. */
export function openPostgres(url: string, most = 10): Kysely<Tables> {
  // They hold our times and counts, which all fit a double.
  types.setTypeParser(types.builtins.INT8, Number)
  const pool = new Pool({
    connectionString: url,
    max: most,
    Client: Keeping,
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

/** Kysely gives text and values; under a name, PostgreSQL parses and plans that text once for each connection. */
class Keeping extends Client {
  override query(asked: unknown, values?: unknown, ...more: readonly unknown[]): never {
    const name = typeof asked === 'string' ? preparedName(asked) : undefined
    const given = name === undefined ? [asked, values, ...more] : [{ name, text: asked, values }, ...more]
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/unbound-method -- bound here; what it answers depends on how it is asked, and is passed on
    return Reflect.apply(super.query, this, given) as never
  }
}

/** A lost connection fails the work that is on it, or nobody; as an event that nobody hears it would end the process. */
const saidElsewhere = (): void => undefined
