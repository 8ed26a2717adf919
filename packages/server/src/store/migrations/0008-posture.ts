import type { Kysely } from 'kysely'

/** How a device stands and is to stand (`core/posture.ts`), as JSON; null for one that nobody ever isolated. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('devices').addColumn('posture', 'text').execute()
}
