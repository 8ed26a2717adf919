/** The store's rules are stated once and hold on both databases. */
import { afterAll, beforeAll, describe } from 'vitest'
import { needs } from '../../../../test/needs.ts'
import { startPostgres, type Postgres } from './postgres.ts'

export interface TestDatabase {
  readonly name: 'SQLite' | 'PostgreSQL'
  /** The URL of an empty one; null where it is a file in the server's folder. */
  fresh(): Promise<string | null>
}

export function onEachDatabase(rules: (database: TestDatabase) => void): void {
  describe('SQLite', () => rules({ name: 'SQLite', fresh: () => Promise.resolve(null) }))
  onPostgres(rules)
}

/** For what only it can do: two servers on one database. */
export function onPostgres(rules: (database: TestDatabase) => void): void {
  describe.skipIf(!needs('postgres'))('PostgreSQL', () => {
    let postgres: Postgres | null = null
    beforeAll(async () => {
      postgres = await startPostgres()
    })
    afterAll(() => postgres?.stop())
    rules({
      name: 'PostgreSQL',
      fresh: () => postgres?.freshDatabase() ?? Promise.reject(new Error('PostgreSQL did not start')),
    })
  })
}
