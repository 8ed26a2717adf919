import type { Progress } from '@countermand/contract'
import { sql, type Insertable, type Kysely, type Selectable } from 'kysely'
import type { DeviceReads, DeviceRows } from '../app/rows.ts'
import { genesis } from '../core/chain.ts'
import type { Device } from '../core/device.ts'
import { eachAspect, firstStances, shownOf, type Stances } from '../core/posture.ts'
import { headOf } from './events.ts'
import { deviceColumns } from './lists/columns.ts'
import { list } from './lists/list.ts'
import { hasNul } from './nul.ts'
import type { DeviceRow, Tables } from './schema.ts'
import { StaleWrite } from './stale-write.ts'

type Found = Selectable<DeviceRow> & {
  readonly chain_sequence: number | null
  readonly chain_digest: string | null
}

const rowsOf = (db: Kysely<Tables>) =>
  db
    .selectFrom('devices')
    .leftJoin('chains', 'chains.chain', 'devices.id')
    .selectAll('devices')
    .select(['chains.sequence as chain_sequence', 'chains.digest as chain_digest'])

export const openDevices = (db: Kysely<Tables>): DeviceRows => ({ ...openReads(db), ...openWrites(db) })

function openReads(db: Kysely<Tables>): DeviceReads {
  const find = async (id: string): Promise<Device | null> => {
    if (hasNul(id)) return null
    const row = await rowsOf(db).where('devices.id', '=', id).executeTakeFirst()
    return row === undefined ? null : toDevice(row)
  }
  return {
    find,
    findNamed: async (idOrName) => {
      if (hasNul(idOrName)) return null
      const byId = await find(idOrName.toLowerCase())
      if (byId !== null) return byId
      const named = rowsOf(db).where('name_key', '=', idOrName.toLowerCase()).orderBy('n', 'desc')
      const row = await named.executeTakeFirst()
      return row === undefined ? null : toDevice(row)
    },
    list: (query, at) =>
      list(db, { query, columns: deviceColumns(db, at), rows: rowsOf(db), table: 'devices', to: toDevice }),
    withAddress: async (address) =>
      (await holding(db, 'addresses', `"${address}"`)).filter(({ addresses }) =>
        addresses.some((seen) => seen.address === address),
      ),
    withTag: async (tag, isStart) => {
      const text = JSON.stringify(tag)
      const isIt = (other: string): boolean => (isStart ? other.startsWith(tag) : other === tag)
      const found = await holding(db, 'tags', isStart ? text.slice(0, -1) : text)
      return found.filter(({ tags }) => tags.some(isIt))
    },
    workOf: (ids) => workOf(db, ids),
    progressOf: (ids) => progressOf(db, ids),
    headOf: (id) => headOf(db, id),
  }
}

/** Sorts out most rows; the rest is looked at one by one, since the databases do not agree on capital letters. */
async function holding(
  db: Kysely<Tables>,
  column: 'addresses' | 'tags',
  part: string,
): Promise<readonly Device[]> {
  const pattern = `%${part.replaceAll(/[!%_]/g, '!$&')}%`
  const isLikely = sql<boolean>`${sql.ref(column)} like ${pattern} escape '!'`
  return (await rowsOf(db).where(isLikely).orderBy('n', 'desc').execute()).map(toDevice)
}

function openWrites(db: Kysely<Tables>): Omit<DeviceRows, keyof DeviceReads> {
  return {
    create: async (device) => {
      await db
        .insertInto('devices')
        .values({ ...toRow(device), ...labelsOf(device) })
        .execute()
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
    label: async (device, before) => {
      const former = labelsOf(before)
      const labelled = await db
        .updateTable('devices')
        .set(labelsOf(device))
        .where('id', '=', device.id)
        .where('tags', '=', former.tags)
        .where('device_value', '=', former.device_value)
        .executeTakeFirst()
      if (labelled.numUpdatedRows === 0n) throw new StaleWrite()
    },
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

const labelsOf = ({ tags, deviceValue }: Device): Pick<Insertable<DeviceRow>, 'tags' | 'device_value'> => ({
  tags: JSON.stringify(tags),
  device_value: deviceValue,
})

const toRow = (device: Device): Omit<Insertable<DeviceRow>, 'tags' | 'device_value'> => ({
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
  addresses: JSON.stringify(device.addresses),
  logons: JSON.stringify(device.logons),
  statement_order: JSON.stringify(device.order),
  reported_head: device.reportedHead && JSON.stringify(device.reportedHead),
  progress: device.progress && JSON.stringify(device.progress),
  given_name: device.givenName,
  key_revoked_at: device.keyRevokedAt?.getTime() ?? null,
  retired_at: device.retiredAt?.getTime() ?? null,
  offboarded_at: device.offboardedAt?.getTime() ?? null,
  posture:
    device.stances === firstStances
      ? null
      : JSON.stringify({ ...device.stances, shown: eachAspect((aspect) => shownOf(device.stances, aspect)) }),
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
  deviceValue: valueOf(row.device_value),
  addresses: JSON.parse(row.addresses),
  logons: JSON.parse(row.logons),
  order: JSON.parse(row.statement_order),
  reportedHead: row.reported_head === null ? null : JSON.parse(row.reported_head),
  progress: row.progress === null ? null : JSON.parse(row.progress),
  givenName: row.given_name,
  keyRevokedAt: row.key_revoked_at === null ? null : new Date(row.key_revoked_at),
  retiredAt: row.retired_at === null ? null : new Date(row.retired_at),
  offboardedAt: row.offboarded_at === null ? null : new Date(row.offboarded_at),
  stances: stancesOf(row.posture),
  head: { sequence: row.chain_sequence ?? 0, digest: row.chain_digest ?? genesis },
})

/** What is shown of it is there for lists only. */
function stancesOf(text: string | null): Stances {
  if (text === null) return firstStances
  const { shown: _shown, ...stances }: Stances & { shown: unknown } = JSON.parse(text)
  return stances
}

const valueOf = (text: string): Device['deviceValue'] => (text === 'Low' || text === 'High' ? text : 'Normal')
