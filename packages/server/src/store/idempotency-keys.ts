import type { Kysely } from 'kysely'
import type { IdempotencyRows } from '../app/rows.ts'
import type { Tables } from './schema.ts'
import { StaleWrite } from './stale-write.ts'

export const openIdempotency = (db: Kysely<Tables>): IdempotencyRows => ({
  find: async (caller, key) => {
    const row = await db
      .selectFrom('idempotency_keys')
      .selectAll()
      .where('caller', '=', caller)
      .where('key', '=', key)
      .executeTakeFirst()
    return row === undefined ? null : { requestDigest: row.request_digest, actionId: row.action_id }
  },
  keep: async ({ caller, key, requestDigest, actionId }, at) => {
    const row = { caller, key, request_digest: requestDigest, action_id: actionId, at: at.getTime() }
    const kept = await db
      .insertInto('idempotency_keys')
      .values(row)
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst()
    if (kept.numInsertedOrUpdatedRows === 0n) throw new StaleWrite()
  },
  forget: async (before) => {
    await db.deleteFrom('idempotency_keys').where('at', '<', before.getTime()).execute()
  },
})
