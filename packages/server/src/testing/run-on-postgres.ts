/** Vitest's global set-up where the servers of a whole run are to stand on PostgreSQL (`vitest.config.ts`). */
import { startPostgres } from './postgres.ts'

export async function setup(): Promise<() => Promise<void>> {
  const postgres = await startPostgres()
  process.env.COUNTERMAND_TEST_DATABASE_URL = postgres.url
  return () => postgres.stop()
}
