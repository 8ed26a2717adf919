import type { Kysely } from 'kysely'
import type { EnrolmentRow, EnrolmentRows } from '../app/ports.ts'
import type { EnrolmentTokenRow, Tables } from './schema.ts'
import { StaleWrite } from './stale-write.ts'

export const openEnrolments = (db: Kysely<Tables>): EnrolmentRows => ({
  find: async (secretDigest) => {
    const row = await db
      .selectFrom('enrolments')
      .selectAll()
      .where('secret_digest', '=', secretDigest)
      .executeTakeFirst()
    return row === undefined ? null : toEnrolment(row)
  },
  create: async (enrolment) => {
    await db.insertInto('enrolments').values(toRow(enrolment)).execute()
  },
  hasUsed: async (key) => {
    const by = db.selectFrom('enrolments').select('secret_digest').where('used_by_key', '=', key)
    return (await by.executeTakeFirst()) !== undefined
  },
  use: async (secretDigest, { key, machineId }) => {
    const used = await db
      .updateTable('enrolments')
      .set({ used_by_key: key, machine_id: machineId })
      .where('secret_digest', '=', secretDigest)
      .where('used_by_key', 'is', null)
      .executeTakeFirst()
    if (used.numUpdatedRows === 0n) throw new StaleWrite()
  },
})

const toRow = (enrolment: EnrolmentRow): EnrolmentTokenRow => ({
  secret_digest: enrolment.secretDigest,
  for_device: enrolment.forDevice,
  expires_at: enrolment.expiresAt.getTime(),
  used_by_key: enrolment.usedByKey,
  machine_id: enrolment.machineId,
})

const toEnrolment = (row: EnrolmentTokenRow): EnrolmentRow => ({
  secretDigest: row.secret_digest,
  forDevice: row.for_device,
  expiresAt: new Date(row.expires_at),
  usedByKey: row.used_by_key,
  machineId: row.machine_id,
})
