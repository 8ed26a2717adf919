import type { Progress } from '@countermand/contract'
import type { Insertable, Kysely, Selectable } from 'kysely'
import type { DeviceRows } from '../app/ports.ts'
import { genesis } from '../core/chain.ts'
import type { Device } from '../core/device.ts'
import { headOf } from './events.ts'
import { hasNul } from './nul.ts'
import type { DeviceRow, Tables } from './schema.ts'
import { StaleWrite } from './stale-write.ts'

type Found = Selectable<DeviceRow> & {
  readonly chain_sequence: number | null
  readonly chain_digest: string | null
}

export function openDevices(db: Kysely<Tables>): DeviceRows {
  const rows = () =>
    db
      .selectFrom('devices')
      .leftJoin('chains', 'chains.chain', 'devices.id')
      .selectAll('devices')
      .select(['chains.sequence as chain_sequence', 'chains.digest as chain_digest'])
  const find = async (id: string): Promise<Device | null> => {
    if (hasNul(id)) return null
    const row = await rows().where('devices.id', '=', id).executeTakeFirst()
    return row === undefined ? null : toDevice(row)
  }
  return {
    find,
    findNamed: async (idOrName) => {
      if (hasNul(idOrName)) return null
      const byId = await find(idOrName.toLowerCase())
      if (byId !== null) return byId
      const named = rows().where('name_key', '=', idOrName.toLowerCase()).orderBy('n', 'desc')
      const row = await named.executeTakeFirst()
      return row === undefined ? null : toDevice(row)
    },
    list: async ({ top, skip }) =>
      (await rows().orderBy('n', 'desc').limit(top).offset(skip).execute()).map(toDevice),
    create: async (device) => {
      await db.insertInto('devices').values(toRow(device)).execute()
    },
    save: async (device, before) => {
      const saved = await db
        .updateTable('devices')
        .set(toRow(device))
        .where('id', '=', device.id)
        .where('statement_order', '=', JSON.stringify(before.order))
        .executeTakeFirst()
      if (saved.numUpdatedRows === 0n) throw new StaleWrite()
    },
    workOf: (ids) => workOf(db, ids),
    progressOf: (ids) => progressOf(db, ids),
    headOf: (id) => headOf(db, id),
  }
}

async function workOf(db: Kysely<Tables>, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  // An empty list is no list to PostgreSQL.
  if (ids.length === 0) return new Map()
  const heads = await db
    .selectFrom('chains')
    .select(['chain', 'sequence'])
    .where('chain', 'in', [...ids])
    .execute()
  return new Map(heads.map(({ chain, sequence }) => [chain, sequence]))
}

async function progressOf(
  db: Kysely<Tables>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, readonly Progress[]>> {
  if (ids.length === 0) return new Map()
  const said = await db
    .selectFrom('devices')
    .select(['id', 'progress'])
    .where('id', 'in', [...ids])
    .execute()
  return new Map(said.flatMap(({ id, progress }) => (progress === null ? [] : [[id, JSON.parse(progress)]])))
}

const toRow = (device: Device): Insertable<DeviceRow> => ({
  id: device.id,
  name: device.name,
  name_key: device.name.toLowerCase(),
  public_key: device.key && JSON.stringify(device.key),
  key_thumbprint: device.keyThumbprint,
  facts: device.facts && JSON.stringify(device.facts),
  capabilities: JSON.stringify(device.capabilities),
  first_seen: device.firstSeen.getTime(),
  last_seen: device.lastSeen?.getTime() ?? null,
  last_address: device.lastAddress,
  tags: JSON.stringify(device.tags),
  statement_order: JSON.stringify(device.order),
  reported_head: device.reportedHead && JSON.stringify(device.reportedHead),
  progress: device.progress && JSON.stringify(device.progress),
})

const toDevice = (row: Found): Device => ({
  id: row.id,
  name: row.name,
  key: row.public_key === null ? null : JSON.parse(row.public_key),
  keyThumbprint: row.key_thumbprint,
  facts: row.facts === null ? null : JSON.parse(row.facts),
  capabilities: JSON.parse(row.capabilities),
  firstSeen: new Date(row.first_seen),
  lastSeen: row.last_seen === null ? null : new Date(row.last_seen),
  lastAddress: row.last_address,
  tags: JSON.parse(row.tags),
  order: JSON.parse(row.statement_order),
  reportedHead: row.reported_head === null ? null : JSON.parse(row.reported_head),
  progress: row.progress === null ? null : JSON.parse(row.progress),
  head: { sequence: row.chain_sequence ?? 0, digest: row.chain_digest ?? genesis },
})
