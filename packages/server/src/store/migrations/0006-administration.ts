import { randomUUID } from 'node:crypto'
import { sql, type Kysely } from 'kysely'

interface Before {
  readonly id: string
  readonly secret_digest: string
}

/**
 * Applications have several secrets and can be disabled; enrolment tokens have an id, and can be revoked; devices can be given
 * a name, lose their key, and be retired.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await applications(db)
  await enrolments(db)
  for (const [name, type] of [
    ['given_name', 'text'],
    ['key_revoked_at', 'bigint'],
    ['retired_at', 'bigint'],
  ] as const) {
    await db.schema.alterTable('devices').addColumn(name, type).execute()
  }
}

async function applications(db: Kysely<unknown>): Promise<void> {
  const table = db.schema.alterTable('applications')
  await table.addColumn('enabled', 'integer', (column) => column.notNull().defaultTo(1)).execute()
  await table.addColumn('secrets', 'text', (column) => column.notNull().defaultTo(sql`'[]'`)).execute()
  await table.addColumn('created_at', 'bigint').execute()
  const { rows } = await sql<Before>`select id, secret_digest from applications`.execute(db)
  for (const { id, secret_digest: digest } of rows) {
    const secret = { keyId: randomUUID(), name: null, digest, hint: null, startsAt: null, endsAt: null }
    await sql`update applications set secrets = ${JSON.stringify([secret])} where id = ${id}`.execute(db)
  }
  await table.dropColumn('secret_digest').execute()
}

async function enrolments(db: Kysely<unknown>): Promise<void> {
  const table = db.schema.alterTable('enrolments')
  await table.addColumn('id', 'text', (column) => column.notNull().defaultTo('')).execute()
  await table.addColumn('created_at', 'bigint').execute()
  await table.addColumn('created_by', 'text').execute()
  await table.addColumn('revoked_at', 'bigint').execute()
  const { rows } = await sql<Pick<Before, 'secret_digest'>>`select secret_digest from enrolments`.execute(db)
  for (const { secret_digest: digest } of rows)
    await sql`update enrolments set id = ${randomUUID()} where secret_digest = ${digest}`.execute(db)
  await db.schema.createIndex('enrolments_id').on('enrolments').column('id').unique().execute()
}
