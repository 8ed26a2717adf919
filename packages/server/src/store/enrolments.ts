import type { Kysely } from 'kysely'
import type { EnrolmentRow, EnrolmentRows } from '../app/rows.ts'
import { hasNul } from './nul.ts'
import type { EnrolmentTokenRow, Tables } from './schema.ts'
import { StaleWrite } from './stale-write.ts'

export const openEnrolments = (db: Kysely<Tables>): EnrolmentRows => ({ ...openReads(db), ...openWrites(db) })

type Reads = Pick<EnrolmentRows, 'find' | 'findById' | 'list' | 'hasUsed'>

const openReads = (db: Kysely<Tables>): Reads => ({
  find: async (secretDigest) => {
    const row = await db
      .selectFrom('enrolments')
      .selectAll()
      .where('secret_digest', '=', secretDigest)
      .executeTakeFirst()
    return row === undefined ? null : toEnrolment(row)
  },
  findById: async (id) => {
    if (hasNul(id)) return null
    const rows = db.selectFrom('enrolments').selectAll().where('id', '=', id.toLowerCase())
    const row = await rows.executeTakeFirst()
    return row === undefined ? null : toEnrolment(row)
  },
  list: async () => {
    const rows = await db.selectFrom('enrolments').selectAll().orderBy('expires_at', 'desc').execute()
    return rows.map(toEnrolment)
  },
  hasUsed: async (key) => {
    const by = db.selectFrom('enrolments').select('secret_digest').where('used_by_key', '=', key)
    return (await by.executeTakeFirst()) !== undefined
  },
})

const openWrites = (db: Kysely<Tables>): Omit<EnrolmentRows, keyof Reads> => ({
  create: async (enrolment) => {
    await db.insertInto('enrolments').values(toRow(enrolment)).execute()
  },
  use: async (secretDigest, { key, machineId }) => {
    const used = await db
      .updateTable('enrolments')
      .set({ used_by_key: key, machine_id: machineId })
      .where('secret_digest', '=', secretDigest)
      .where('used_by_key', 'is', null)
      .where('revoked_at', 'is', null)
      .executeTakeFirst()
    if (used.numUpdatedRows === 0n) throw new StaleWrite()
  },
  revoke: async (id, at) => {
    const revoked = await db
      .updateTable('enrolments')
      .set({ revoked_at: at.getTime() })
      .where('id', '=', id)
      .where('used_by_key', 'is', null)
      .where('revoked_at', 'is', null)
      .executeTakeFirst()
    if (revoked.numUpdatedRows === 0n) throw new StaleWrite()
  },
  revokeFor: async (machineId, at) => {
    const revoked = await db
      .updateTable('enrolments')
      .set({ revoked_at: at.getTime() })
      .where('for_device', '=', machineId)
      .where('used_by_key', 'is', null)
      .where('revoked_at', 'is', null)
      .returning('id')
      .execute()
    return revoked.map(({ id }) => id).toSorted()
  },
})

const toRow = (enrolment: EnrolmentRow): EnrolmentTokenRow => ({
  id: enrolment.id,
  secret_digest: enrolment.secretDigest,
  created_at: enrolment.createdAt?.getTime() ?? null,
  created_by: enrolment.createdBy,
  for_device: enrolment.forDevice,
  expires_at: enrolment.expiresAt.getTime(),
  used_by_key: enrolment.usedByKey,
  machine_id: enrolment.machineId,
  revoked_at: enrolment.revokedAt?.getTime() ?? null,
})

const toEnrolment = (row: EnrolmentTokenRow): EnrolmentRow => ({
  id: row.id,
  secretDigest: row.secret_digest,
  createdAt: row.created_at === null ? null : new Date(row.created_at),
  createdBy: row.created_by,
  forDevice: row.for_device,
  expiresAt: new Date(row.expires_at),
  usedByKey: row.used_by_key,
  machineId: row.machine_id,
  revokedAt: row.revoked_at === null ? null : new Date(row.revoked_at),
})
