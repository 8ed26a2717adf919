import type { Kysely } from 'kysely'
import { Migrator, type Migration } from 'kysely/migration'
import type { Tables } from '../schema.ts'
import * as start from './0001-start.ts'

/** Forward only; a migration that has been released is never edited. */
const migrations: Readonly<Record<string, Migration>> = {
  '0001-start': start,
}

/** Brings a database up to date. @throws what the first failing migration threw; what came before it stays. */
export async function migrate(db: Kysely<Tables>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve({ ...migrations }) } })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) throw error
}
