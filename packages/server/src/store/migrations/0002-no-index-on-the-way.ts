import { SqliteAdapter, sql, type Kysely } from 'kysely'

/** The lists of actions may say more than is so (docs/decisions/0028), and an action's deadline moves into its state. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const isSqlite = db.getExecutor().adapter instanceof SqliteAdapter
  const withDeadline = isSqlite
    ? sql`json_set(state, '$.deadlineAt', deadline_at)`
    : sql`jsonb_set(state::jsonb, '{deadlineAt}', coalesce(to_jsonb(deadline_at), 'null'::jsonb))::text`
  await sql`update actions set state = ${withDeadline}`.execute(db)
  await db.schema.dropIndex('actions_live').execute()
  await db.schema.dropIndex('actions_deadline').execute()
  await db.schema.alterTable('actions').renameColumn('live', 'maybe_live').execute()
  await db.schema.alterTable('actions').renameColumn('deadline_at', 'look_at').execute()
  await db.schema
    .createIndex('actions_live')
    .on('actions')
    .column('machine_id')
    .where(sql<boolean>`maybe_live = 1`)
    .execute()
  await db.schema
    .createIndex('actions_look')
    .on('actions')
    .column('look_at')
    .where(sql<boolean>`look_at is not null`)
    .execute()
  if (isSqlite) await packChains(db)
}

/** Heads lie in the tree of their key, and not in a second one beside it. */
async function packChains(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('packed')
    .addColumn('chain', 'text', (column) => column.primaryKey().notNull())
    .addColumn('sequence', 'bigint', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .modifyEnd(sql`without rowid`)
    .execute()
  await sql`insert into packed select chain, sequence, digest from chains`.execute(db)
  await db.schema.dropTable('chains').execute()
  await db.schema.alterTable('packed').renameTo('chains').execute()
}
