/** The store's port over plain maps: one piece of work at a time, kept whole or not at all. It decides nothing. */
import type { ChainHead } from '@countermand/contract'
import type {
  ActionRows,
  Cause,
  DeviceRows,
  EventNote,
  EventRows,
  Moment,
  Rooms,
  Work,
} from '../../packages/server/src/app/rows.ts'
import { reads } from '../../packages/server/src/app/reads.ts'
import { writes } from '../../packages/server/src/app/writes.ts'
import type { Action } from '../../packages/server/src/core/action-shape.ts'
import { advance, isOpen, isUndelivered, issue } from '../../packages/server/src/core/action.ts'
import { dataText, genesis, linkText } from '../../packages/server/src/core/chain.ts'
import type { Device } from '../../packages/server/src/core/device.ts'
import { recordOf } from '../../packages/server/src/core/history.ts'
import { isInTheWay } from '../../packages/server/src/core/request.ts'
import { digestOf } from './digest.ts'
import { afterRestore, forceAction, type OpenStore } from './server.ts'
import type { Tables } from './tables.ts'

/** Holds the rows while work is done on them. */
interface Box {
  tables: Tables
}

const withRow = <T>(rows: ReadonlyMap<string, T>, key: string, row: T): ReadonlyMap<string, T> =>
  new Map([...rows, [key, row]])

/** Another writer cannot be faster here: who meets this has written over something that it did not read. */
const stale = (what: string): Error => new Error(`${what} was changed by another writer`)

/** Nobody here filters, or wants more than a page. */
const pageOf = <Item>(items: readonly Item[]) => ({ items, next: null, count: items.length })

function openActions(box: Box, events: Appender): ActionRows {
  const all = (): readonly Action[] => [...box.tables.actions.values()]
  const keep = (action: Action): void => {
    box.tables = { ...box.tables, actions: withRow(box.tables.actions, action.id, action) }
  }
  return {
    find: async (id) => box.tables.actions.get(id) ?? null,
    list: async ({ top, skip }) =>
      pageOf(
        all()
          .toReversed()
          .slice(skip, skip + top),
      ),
    liveOf: async (machineId) =>
      all().filter((action) => action.machineId === machineId && (isOpen(action) || isUndelivered(action))),
    sessions: async (most) =>
      all()
        .filter((action) => action.type === 'LiveResponse' && isInTheWay(action))
        .slice(0, most),
    toLookAt: async (at, most) =>
      all()
        .filter(({ deadlineAt }) => deadlineAt !== null && deadlineAt <= at)
        .slice(0, most),
    lookedAt: async () => undefined,
    open: async () => all().filter(isOpen),
    count: () => Promise.reject(new Error('Nobody watches here.')),
    create: async (order, commands) => {
      const action = issue(order, commands)
      keep(action)
      const data = { id: action.id, machineId: action.machineId }
      const note = { kind: 'action.requested', actor: order.requestor, alarm: false, data }
      events.add({ chain: order.machineId, note, at: order.createdAt, actionId: action.id })
      return action
    },
    advance: async (before, event, at, cause) => {
      if (box.tables.actions.get(before.id)?.version !== before.version) throw stale('The action')
      const after = advance(before, event, at)
      for (const note of recordOf(before, after, event))
        events.add({ chain: before.machineId, note, at, actionId: before.id, cause })
      if (after !== before) keep(after)
      return after
    },
    note: async ({ id, machineId }, note, at) => events.add({ chain: machineId, note, at, actionId: id }),
  }
}

interface Entry {
  readonly chain: string
  readonly note: EventNote
  readonly at: Date
  readonly actionId: string | null
  readonly cause?: Cause | undefined
}

interface Appender {
  add(entry: Entry): void
  keep(cause: Cause): void
}

function openAppender(box: Box): Appender {
  const keep = ({ digest, jws }: Cause): void => {
    if (box.tables.statements.has(digest)) return
    box.tables = { ...box.tables, statements: withRow(box.tables.statements, digest, jws) }
  }
  return {
    keep,
    add: ({ chain, note, at, actionId, cause }) => {
      if (cause !== undefined) keep(cause)
      const head = headOf(box, chain)
      const place = { chain, sequence: head.sequence + 1, previous: head.digest }
      const { kind, actor, alarm, data } = note
      const what = { kind, actionId, actor, alarm, at: at.getTime(), data }
      const link = { ...place, ...what, statement: cause?.digest ?? null }
      const digest = digestOf(linkText({ ...link, data: dataText(data) }))
      const heads = withRow(box.tables.heads, chain, { sequence: place.sequence, digest })
      box.tables = { ...box.tables, heads, events: [...box.tables.events, { ...link, digest }] }
    },
  }
}

const never = (): never => {
  throw new Error('No script of the model asks for this.')
}

const openEvents = (events: Appender): EventRows => ({
  append: async (chain, note, at, cause) => events.add({ chain, note, at, actionId: null, cause }),
  keep: async (_machineId, cause) => events.keep(cause),
  ofAction: never,
  after: never,
  last: never,
})

const headOf = ({ tables }: Box, chain: string): ChainHead =>
  tables.heads.get(chain) ?? { sequence: 0, digest: genesis }

function openDevices(box: Box): DeviceRows {
  const find = (id: string): Device | null => {
    const device = box.tables.devices.get(id)
    return device === undefined ? null : { ...device, head: headOf(box, id) }
  }
  const keep = (device: Device): void => {
    box.tables = { ...box.tables, devices: withRow(box.tables.devices, device.id, device) }
  }
  return {
    find: async (id) => find(id),
    findNamed: async (id) => find(id),
    list: async () => pageOf([...box.tables.devices.values()]),
    create: async (device) => keep(device),
    save: async (device, before) => {
      const now = box.tables.devices.get(device.id)
      if (JSON.stringify(now?.order) !== JSON.stringify(before.order)) throw stale('The device')
      keep(device)
    },
    label: never,
    withAddress: never,
    withTag: never,
    progressOf: never,
    workOf: async (ids) => new Map(ids.map((id) => [id, headOf(box, id).sequence])),
    headOf: async (id) => headOf(box, id),
  }
}

function roomsOf(box: Box): Rooms {
  const appender = openAppender(box)
  return {
    actions: openActions(box, appender),
    devices: openDevices(box),
    events: openEvents(appender),
    library: {
      find: async (name) => box.tables.library.get(name) ?? null,
      put: async (entry) => {
        box.tables = { ...box.tables, library: withRow(box.tables.library, entry.fileName, entry) }
      },
      list: never,
      remove: never,
    },
    applications: { find: never, list: never, standingOf: never, create: never, save: never },
    idempotency: { find: never, keep: never, forget: never },
    enrolments: {
      find: async (secret) => box.tables.enrolments.get(secret) ?? null,
      create: async (row) => {
        box.tables = { ...box.tables, enrolments: withRow(box.tables.enrolments, row.secretDigest, row) }
      },
      hasUsed: async (key) => [...box.tables.enrolments.values()].some(({ usedByKey }) => usedByKey === key),
      use: async (secret, { key, machineId }) => {
        const row = box.tables.enrolments.get(secret)
        if (row === undefined || row.usedByKey !== null) throw stale('The token')
        const used = { ...row, usedByKey: key, machineId }
        box.tables = { ...box.tables, enrolments: withRow(box.tables.enrolments, secret, used) }
      },
      findById: never,
      list: never,
      revoke: never,
      revokeFor: never,
    },
  }
}

/** `alter` puts something between the work and its rows: a fault to be found. */
export function openMemoryStore(
  tables: Tables,
  moment: () => Moment,
  alter: (rooms: Rooms) => Rooms = (rooms) => rooms,
): OpenStore {
  const box: Box = { tables }
  const works: Readonly<Record<string, unknown>> = { ...reads, ...writes, forceAction, afterRestore }
  const perform = async (name: string, input: unknown): Promise<unknown> => {
    const before = box.tables
    try {
      return await (works[name] as Work<unknown, unknown>)(alter(roomsOf(box)), input, moment())
    } catch (thrown) {
      box.tables = before
      throw thrown
    }
  }
  return {
    isShared: false,
    tables: () => Promise.resolve(box.tables),
    restore: async (backup) => {
      box.tables = backup
      await perform('afterRestore', null)
    },
    force: (input) => perform('forceAction', input) as never,
    read: (name, input) => perform(name, input) as never,
    write: (name, input) => perform(name, input) as never,
    close: () => Promise.resolve(),
  }
}
