/** The real store, in memory: the same work over the same rows, as SQLite keeps them. */
import type { Kysely } from 'kysely'
import type { Moment, Rooms } from '../../packages/server/src/app/rows.ts'
import { reads } from '../../packages/server/src/app/reads.ts'
import { writes } from '../../packages/server/src/app/writes.ts'
import type { Action } from '../../packages/server/src/core/action-shape.ts'
import { writeBatch } from '../../packages/server/src/store/sqlite/batch.ts'
import { openSqlite } from '../../packages/server/src/store/sqlite/open.ts'
import { migrate } from '../../packages/server/src/store/migrations/index.ts'
import { unwrap } from '../../packages/server/src/store/result.ts'
import { roomsOf, type Works } from '../../packages/server/src/store/rooms.ts'
import type { Tables as Schema } from '../../packages/server/src/store/schema.ts'
import { nothingTouched } from '../../packages/server/src/store/touched.ts'
import { forceAction, type OpenStore } from './server.ts'
import type { EventRow, Tables } from './tables.ts'

const all = { filter: null, order: [], after: null, counts: false, top: 1_000, skip: 0 }
const works = { ...reads, ...writes, forceAction } as Works

export function openRealStore(given: Tables, moment: () => Moment): OpenStore {
  const { db } = openSqlite(':memory:', 'alone')
  const ready = migrate(db).then(() => fill(db, given))
  const perform = async (name: string, input: unknown): Promise<unknown> => {
    await ready
    const { at, ...known } = moment()
    const { results } = await writeBatch(db, works, [{ name, input, at }], known)
    const [result] = results
    if (result === undefined) throw new Error('There is no result.')
    return unwrap(result)
  }
  return {
    isShared: false,
    tables: async () => {
      await ready
      return read(db, given)
    },
    restore: () => Promise.reject(new Error('Backups are a matter of the other store.')),
    force: (input) => perform('forceAction', input) as Promise<Action>,
    read: (name, input) => perform(name, input) as never,
    write: (name, input) => perform(name, input) as never,
    close: () => db.destroy(),
  }
}

async function fill(
  db: Kysely<Schema>,
  { devices, events, heads, library, enrolments }: Tables,
): Promise<void> {
  const rooms: Rooms = roomsOf(db, nothingTouched())
  for (const device of devices.values()) await rooms.devices.create(device)
  for (const entry of library.values()) await rooms.library.put(entry)
  for (const row of enrolments.values()) await rooms.enrolments.create(row)
  for (const [chain, head] of heads)
    await db
      .insertInto('chains')
      .values({ chain, ...head })
      .execute()
  for (const { actionId, alarm, data, ...same } of events) {
    const texts = { action_id: actionId, alarm: alarm ? 1 : 0, data: JSON.stringify(data) }
    await db
      .insertInto('events')
      .values({ ...same, ...texts, before: null })
      .execute()
  }
}

async function read(db: Kysely<Schema>, { library, enrolments }: Tables): Promise<Tables> {
  const rooms = roomsOf(db, nothingTouched())
  const actions = (await rooms.actions.list(all)).items
    .toReversed()
    .map((action) => [action.id, action] as const)
  const devices = (await rooms.devices.list(all, new Date(0))).items.map(
    (device) => [device.id, device] as const,
  )
  const chains = await db.selectFrom('chains').selectAll().execute()
  const heads = chains.map(({ chain, ...head }) => [chain, head] as const)
  const rows = await db.selectFrom('events').selectAll().orderBy('n').execute()
  const events = rows.map(
    ({ n: _n, before: _before, action_id: actionId, alarm, data, ...same }): EventRow => ({
      ...same,
      actionId,
      alarm: alarm === 1,
      data: JSON.parse(data),
    }),
  )
  const kept = await db.selectFrom('statements').select(['digest', 'jws']).execute()
  const statements = new Map(kept.map(({ digest, jws }) => [digest, jws]))
  return {
    actions: new Map(actions),
    devices: new Map(devices),
    heads: new Map(heads),
    events,
    statements,
    library,
    enrolments,
  }
}
