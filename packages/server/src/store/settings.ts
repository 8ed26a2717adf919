import type { Kysely } from 'kysely'
import type { Tables } from './schema.ts'

/** A value that is made once and then stays: the tenant id, the epoch. */
export async function settled(db: Kysely<Tables>, name: string, make: () => string): Promise<string> {
  await db
    .insertInto('settings')
    .values({ name, value: make() })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute()
  const { value } = await db
    .selectFrom('settings')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirstOrThrow()
  return value
}
