import type { Kysely } from 'kysely'
import type { ApplicationRows } from '../app/ports.ts'
import { hasNul } from './nul.ts'
import type { Tables } from './schema.ts'

export const openApplications = (db: Kysely<Tables>): ApplicationRows => ({
  find: async (id) => {
    if (hasNul(id)) return null
    const row = await db
      .selectFrom('applications')
      .selectAll()
      .where('id', '=', id.toLowerCase())
      .executeTakeFirst()
    if (row === undefined) return null
    const permissions: string[] = JSON.parse(row.permissions)
    return {
      id: row.id,
      objectId: row.object_id,
      name: row.name,
      secretDigest: row.secret_digest,
      permissions,
    }
  },
  create: async ({ id, objectId, name, secretDigest, permissions }) => {
    const row = {
      id,
      object_id: objectId,
      name,
      secret_digest: secretDigest,
      permissions: JSON.stringify(permissions),
    }
    await db.insertInto('applications').values(row).execute()
  },
})
