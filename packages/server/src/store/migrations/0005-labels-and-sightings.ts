import { sql, type Kysely } from 'kysely'

/** Devices have a value, and it is kept which addresses they had and who was signed in on them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('devices')
    .addColumn('device_value', 'text', (column) => column.notNull().defaultTo('Normal'))
    .execute()
  for (const name of ['addresses', 'logons']) {
    await db.schema
      .alterTable('devices')
      .addColumn(name, 'text', (column) => column.notNull().defaultTo(sql`'[]'`))
      .execute()
  }
}
