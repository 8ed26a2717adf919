import { SqliteAdapter, sql, type CreateTableBuilder, type Kysely } from 'kysely'

/** An integer key in order of arrival; SQLite wants its own spelling to make it the row's address. */
function numbered<Name extends string>(db: Kysely<unknown>, table: Name): CreateTableBuilder<Name, 'n'> {
  const isSqlite = db.getExecutor().adapter instanceof SqliteAdapter
  const builder = db.schema.createTable(table)
  return isSqlite
    ? builder.addColumn('n', 'integer', (column) => column.primaryKey().autoIncrement())
    : builder.addColumn('n', 'bigserial', (column) => column.primaryKey())
}

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('settings')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('value', 'text', (column) => column.notNull())
    .execute()
  await actions(db)
  await devices(db)
  await events(db)
  await library(db)
  await callers(db)
}

/** Few indexes, and partial ones: a cancel's cost follows the pages that it dirties. */
async function actions(db: Kysely<unknown>): Promise<void> {
  await numbered(db, 'actions')
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('machine_id', 'text', (column) => column.notNull())
    .addColumn('type', 'text', (column) => column.notNull())
    .addColumn('requestor', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('asked', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('phase', 'text', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('live', 'integer', (column) => column.notNull())
    .addColumn('deadline_at', 'bigint')
    .addColumn('last_event', 'bigint')
    .execute()
  await db.schema
    .createIndex('actions_live')
    .on('actions')
    .column('machine_id')
    .where(sql<boolean>`live = 1`)
    .execute()
  await db.schema
    .createIndex('actions_deadline')
    .on('actions')
    .column('deadline_at')
    .where(sql<boolean>`deadline_at is not null`)
    .execute()
}

async function devices(db: Kysely<unknown>): Promise<void> {
  await numbered(db, 'devices')
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('name_key', 'text', (column) => column.notNull())
    .addColumn('public_key', 'text')
    .addColumn('key_thumbprint', 'text')
    .addColumn('facts', 'text')
    .addColumn('capabilities', 'text', (column) => column.notNull())
    .addColumn('first_seen', 'bigint', (column) => column.notNull())
    .addColumn('last_seen', 'bigint')
    .addColumn('last_address', 'text')
    .addColumn('tags', 'text', (column) => column.notNull())
    .addColumn('statement_order', 'text', (column) => column.notNull())
    .addColumn('reported_head', 'text')
    .execute()
  await db.schema.createIndex('devices_name').on('devices').column('name_key').execute()
}

async function events(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('chains')
    .addColumn('chain', 'text', (column) => column.primaryKey())
    .addColumn('sequence', 'bigint', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .execute()
  await numbered(db, 'events')
    .addColumn('chain', 'text', (column) => column.notNull())
    .addColumn('sequence', 'bigint', (column) => column.notNull())
    .addColumn('previous', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('action_id', 'text')
    .addColumn('actor', 'text')
    .addColumn('alarm', 'integer', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('data', 'text', (column) => column.notNull())
    .addColumn('statement', 'text')
    .addColumn('before', 'bigint')
    .execute()
  await db.schema
    .createTable('statements')
    .addColumn('digest', 'text', (column) => column.primaryKey())
    .addColumn('machine_id', 'text', (column) => column.notNull())
    .addColumn('seq', 'bigint', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('jws', 'text', (column) => column.notNull())
    .execute()
}

async function library(db: Kysely<unknown>): Promise<void> {
  await numbered(db, 'library_files')
    .addColumn('file_name', 'text', (column) => column.notNull().unique())
    .addColumn('sha256', 'text', (column) => column.notNull())
    .addColumn('size', 'bigint', (column) => column.notNull())
    .addColumn('description', 'text')
    .addColumn('has_parameters', 'integer', (column) => column.notNull())
    .addColumn('parameters_description', 'text')
    .addColumn('created_by', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .execute()
}

async function callers(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('applications')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('object_id', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('secret_digest', 'text', (column) => column.notNull())
    .addColumn('permissions', 'text', (column) => column.notNull())
    .execute()
  await db.schema
    .createTable('enrolments')
    .addColumn('secret_digest', 'text', (column) => column.primaryKey())
    .addColumn('for_device', 'text')
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .addColumn('used_by_key', 'text')
    .addColumn('machine_id', 'text')
    .execute()
}
