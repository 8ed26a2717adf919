import type { Kysely } from 'kysely'
import type { EnrolmentRow, EnrolmentRows } from '../app/ports.ts'
import type { EnrolmentTokenRow, Tables } from './schema.ts'

export const openEnrolments = (db: Kysely<Tables>): EnrolmentRows => ({
  find: async (secretDigest) => {
    const row = await db
      .selectFrom('enrolments')
      .selectAll()
      .where('secret_digest', '=', secretDigest)
      .executeTakeFirst()
    return row === undefined ? null : toEnrolment(row)
  },
  put: async (enrolment) => {
    const row = toRow(enrolment)
    await db
      .insertInto('enrolments')
      .values(row)
      .onConflict((conflict) => conflict.column('secret_digest').doUpdateSet(row))
      .execute()
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
