import { sql, type Kysely } from 'kysely'

/** Open live responses are counted by a list of their own, which a cancel does not write; devices tell how far they are. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('actions')
    .addColumn('maybe_session', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  await sql`update actions set maybe_session = 1 where type = 'LiveResponse' and maybe_live = 1`.execute(db)
  await db.schema
    .createIndex('actions_session')
    .on('actions')
    .column('n')
    .where(sql<boolean>`maybe_session = 1`)
    .execute()
  await sql`insert into settings (name, value) values ('sessions_counted', '')`.execute(db)
  await db.schema.alterTable('devices').addColumn('progress', 'text').execute()
}
