import type { Kysely, Selectable } from 'kysely'
import type { ApplicationRows } from '../app/rows.ts'
import type { Application, Secret } from '../core/application.ts'
import { hasNul } from './nul.ts'
import type { ApplicationRow, Tables } from './schema.ts'

export const openApplications = (db: Kysely<Tables>): ApplicationRows => ({
  find: async (id) => {
    if (hasNul(id)) return null
    const rows = db.selectFrom('applications').selectAll().where('id', '=', id.toLowerCase())
    const row = await rows.executeTakeFirst()
    return row === undefined ? null : toApplication(row)
  },
  list: async () => {
    const rows = await db.selectFrom('applications').selectAll().orderBy('id').execute()
    return rows.map(toApplication).toSorted((a, b) => madeAt(a) - madeAt(b))
  },
  standingOf: async (ids) => {
    const sought = ids.filter((id) => !hasNul(id))
    // An empty list is no list to PostgreSQL.
    if (sought.length === 0) return new Map()
    const rows = await db
      .selectFrom('applications')
      .select(['id', 'name', 'enabled', 'permissions'])
      .where('id', 'in', sought)
      .execute()
    return new Map(
      rows.map(({ id, name, enabled, permissions }) => [
        id,
        { name, isEnabled: enabled === 1, permissions: JSON.parse(permissions) },
      ]),
    )
  },
  create: async (application) => {
    await db.insertInto('applications').values(toRow(application)).execute()
  },
  save: async (application) => {
    await db.updateTable('applications').set(toRow(application)).where('id', '=', application.id).execute()
  },
})

const madeAt = ({ createdAt }: Application): number => createdAt?.getTime() ?? 0

const toRow = (application: Application): ApplicationRow => ({
  id: application.id,
  object_id: application.objectId,
  name: application.name,
  enabled: application.isEnabled ? 1 : 0,
  permissions: JSON.stringify(application.permissions),
  secrets: JSON.stringify(application.secrets.map(toStored)),
  created_at: application.createdAt?.getTime() ?? null,
})

const toApplication = (row: Selectable<ApplicationRow>): Application => {
  const secrets: StoredSecret[] = JSON.parse(row.secrets)
  return {
    id: row.id,
    objectId: row.object_id,
    name: row.name,
    isEnabled: row.enabled === 1,
    permissions: JSON.parse(row.permissions),
    secrets: secrets.map(toSecret),
    createdAt: row.created_at === null ? null : new Date(row.created_at),
  }
}

/** Times in milliseconds, as everywhere in rows. */
interface StoredSecret extends Omit<Secret, 'startsAt' | 'endsAt'> {
  readonly startsAt: number | null
  readonly endsAt: number | null
}

const toStored = (secret: Secret): StoredSecret => ({
  ...secret,
  startsAt: secret.startsAt?.getTime() ?? null,
  endsAt: secret.endsAt?.getTime() ?? null,
})

const toSecret = (stored: StoredSecret): Secret => ({
  ...stored,
  startsAt: stored.startsAt === null ? null : new Date(stored.startsAt),
  endsAt: stored.endsAt === null ? null : new Date(stored.endsAt),
})
