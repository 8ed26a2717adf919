/** The store's port over plain maps: one piece of work at a time, kept whole or not at all. It decides nothing. */
import { createHash } from 'node:crypto'
import type { ChainHead } from '@countermand/contract'
import type {
  ActionRows,
  Cause,
  DeviceRows,
  EnrolmentRow,
  EventNote,
  EventRows,
  LibraryEntry,
  Moment,
  Rooms,
  Store,
  StoredEvent,
  Work,
} from '../../packages/server/src/app/ports.ts'
import { reads } from '../../packages/server/src/app/reads.ts'
import { writes } from '../../packages/server/src/app/writes.ts'
import type { Action } from '../../packages/server/src/core/action-shape.ts'
import { advance, isOpen, isUndelivered, issue } from '../../packages/server/src/core/action.ts'
import { genesis, linkText } from '../../packages/server/src/core/chain.ts'
import type { Device } from '../../packages/server/src/core/device.ts'
import { recordOf } from '../../packages/server/src/core/history.ts'

export const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64url')

type EventRow = StoredEvent & { readonly chain: string; readonly actionId: string | null }

/** All rows. Each map is replaced as a whole when a row changes, so that a state of before stays what it was. */
export interface Tables {
  readonly actions: ReadonlyMap<string, Action>
  readonly devices: ReadonlyMap<string, Device>
  readonly heads: ReadonlyMap<string, ChainHead>
  readonly events: readonly EventRow[]
  readonly statements: ReadonlyMap<string, string>
  readonly library: ReadonlyMap<string, LibraryEntry>
  readonly enrolments: ReadonlyMap<string, EnrolmentRow>
}

export const noTables: Tables = {
  actions: new Map(),
  devices: new Map(),
  heads: new Map(),
  events: [],
  statements: new Map(),
  library: new Map(),
  enrolments: new Map(),
}

/** Holds the rows while work is done on them. */
interface Box {
  tables: Tables
}

const withRow = <T>(rows: ReadonlyMap<string, T>, key: string, row: T): ReadonlyMap<string, T> =>
  new Map([...rows, [key, row]])

/** Another writer cannot be faster here: who meets this has written over something that it did not read. */
const stale = (what: string): Error => new Error(`${what} was changed by another writer`)

function openActions(box: Box, events: Appender): ActionRows {
  const all = (): readonly Action[] => [...box.tables.actions.values()]
  const keep = (action: Action): void => {
    box.tables = { ...box.tables, actions: withRow(box.tables.actions, action.id, action) }
  }
  return {
    find: async (id) => box.tables.actions.get(id) ?? null,
    list: async ({ top, skip }) => all().toReversed().slice(skip, skip + top),
    liveOf: async (machineId) =>
      all().filter((action) => action.machineId === machineId && (isOpen(action) || isUndelivered(action))),
    overdue: async (at, most) =>
      all()
        .filter(({ deadlineAt }) => deadlineAt !== null && deadlineAt <= at)
        .slice(0, most),
    open: async () => all().filter(isOpen),
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

function openEvents(box: Box): EventRows & Appender {
  const keep = ({ digest, jws }: Cause): void => {
    if (box.tables.statements.has(digest)) return
    box.tables = { ...box.tables, statements: withRow(box.tables.statements, digest, jws) }
  }
  const add = ({ chain, note, at, actionId, cause }: Entry): void => {
    if (cause !== undefined) keep(cause)
    const head = headOf(box, chain)
    const { kind, actor, alarm, data } = note
    const statement = cause?.digest ?? null
    const place = { chain, sequence: head.sequence + 1, previous: head.digest }
    const link = { ...place, kind, actionId, actor, alarm, at: at.getTime(), data, statement }
    const digest = digestOf(linkText(link))
    const row = { ...place, kind, actor, data, digest, at, actionId, statement: cause?.jws ?? null }
    const heads = withRow(box.tables.heads, chain, { sequence: place.sequence, digest })
    box.tables = { ...box.tables, heads, events: [...box.tables.events, row] }
  }
  return {
    add,
    append: async (chain, note, at, cause) => add({ chain, note, at, actionId: null, cause }),
    keep: ((first: string | Cause, cause?: Cause) => {
      keep(typeof first === 'string' ? (cause as Cause) : first)
      return Promise.resolve()
    }) as EventRows['keep'] & Appender['keep'],
    ofAction: async (actionId) => box.tables.events.filter((event) => event.actionId === actionId),
  }
}
