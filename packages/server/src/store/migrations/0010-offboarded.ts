import type { Kysely } from 'kysely'

/** Since when a device has no key any more, given up by itself; null for one that has not. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('devices').addColumn('offboarded_at', 'bigint').execute()
}
