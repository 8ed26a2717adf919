import type { CommandOutcome } from '@countermand/contract'
import { sql, type Kysely, type Selectable } from 'kysely'
import type { ActionRows, Cause, EventNote } from '../app/rows.ts'
import type { Action, ActionEvent, Order } from '../core/action-shape.ts'
import { advance, isOpen, isUndelivered, issue, ownerOf } from '../core/action.ts'
import { cancelStep } from '../core/cancel-step.ts'
import { genesis } from '../core/chain.ts'
import { recordOf } from '../core/history.ts'
import { isInTheWay } from '../core/request.ts'
import { changing, rowOf, toAction, toRow, whenOf, withRow } from './action-row.ts'
import { appendEvents } from './events.ts'
import { hot } from './hot.ts'
import { countActions } from './lists/count.ts'
import { actionColumns } from './lists/columns.ts'
import { list } from './lists/list.ts'
import { hasNul } from './nul.ts'
import type { ActionRow, Tables } from './schema.ts'
import { StaleWrite } from './stale-write.ts'
import type { Touched } from './touched.ts'

export function openActions(db: Kysely<Tables>, touched: Touched): ActionRows {
  const rows = () => db.selectFrom('actions').selectAll()
  return {
    find: async (id) => {
      if (hasNul(id)) return null
      const [row] = (await selectAction(db, { id })).rows
      if (row === undefined) return null
      const head = { sequence: row.head_sequence ?? 0, digest: row.head_digest ?? genesis }
      if (!touched.heads.has(row.machine_id)) touched.heads.set(row.machine_id, head)
      return toAction(row)
    },
    list: (query) =>
      list(db, { query, columns: actionColumns(db), rows: rows(), table: 'actions', to: toAction }),
    liveOf: (machineId) => liveOf(db, machineId),
    sessions: (most) => sessionsOf(db, most),
    toLookAt: async (at, most) => {
      const due = rows().where('look_at', '<=', at.getTime()).orderBy('look_at')
      return (await due.limit(most).execute()).map(toAction)
    },
    count: (after, most) => countActions(db, after, most),
    lookedAt: async ({ id, deadlineAt }) => {
      if (deadlineAt === null) await lookNoMore(db, { id })
      else await moveLook(db, { id, look_at: deadlineAt.getTime() })
    },
    open: async () =>
      (await rows().where('maybe_live', '=', sql.lit(1)).execute()).map(toAction).filter(isOpen),
    create: (order, commands) => create({ db, touched }, order, commands),
    advance: (action, event, at, cause) => tryAdvance({ db, touched }, action, { event, at, cause }),
    note: async (action, note, at) => {
      await record(
        { db, touched },
        { before: action, after: action },
        { notes: [note], at, cause: undefined },
      )
    },
  }
}

/** One by one: what a kept statement answers must not change when a newer server adds a column to the table. */
const columns = [
  'actions.n',
  'actions.id',
  'actions.machine_id',
  'actions.type',
  'actions.requestor',
  'actions.created_at',
  'actions.asked',
  'actions.state',
  'actions.phase',
  'actions.version',
  'actions.maybe_live',
  'actions.look_at',
  'actions.last_event',
  'actions.maybe_session',
] as const

/** With the head of its device's chain: who looks for one action usually has something to add. */
const selectAction = hot((db, { id }: { id: string }) =>
  db
    .selectFrom('actions')
    .leftJoin('chains', 'chains.chain', 'actions.machine_id')
    .select([...columns, 'chains.sequence as head_sequence', 'chains.digest as head_digest'])
    .where('actions.id', '=', id),
)

// The literal lets SQLite use the partial index; a bound value would not.
const selectLive = hot((db, { machineId }: { machineId: string }) =>
  db
    .selectFrom('actions')
    .select(columns)
    .where('machine_id', '=', machineId)
    .where('maybe_live', '=', sql.lit(1))
    .orderBy('n'),
)

const isLive = (action: Action): boolean => isOpen(action) || isUndelivered(action)

/** Takes those that are over off the index in passing; over is for ever. */
async function liveOf(db: Kysely<Tables>, machineId: string): Promise<readonly Action[]> {
  const { rows } = await selectLive(db, { machineId })
  const actions = rows.map(toAction)
  const over = actions.filter((action) => !isLive(action)).map(({ id }) => id)
  if (over.length > 0)
    await db.updateTable('actions').set({ maybe_live: 0, maybe_session: 0 }).where('id', 'in', over).execute()
  return actions.filter(isLive)
}

/** Settings row that every writer who counts sessions writes: with it PostgreSQL finds that two have counted the same. */
const turn = 'sessions_counted'

/** What is in nobody's way never is again: taken off in passing, so that the list has hardly more rows than may be open. */
async function sessionsOf(db: Kysely<Tables>, most: number): Promise<readonly Action[]> {
  await db.updateTable('settings').set({ value: '' }).where('name', '=', turn).execute()
  const found: Action[] = []
  for (let after = 0; found.length < most;) {
    const listed = db.selectFrom('actions').selectAll().where('maybe_session', '=', sql.lit(1))
    const rows = await listed.where('n', '>', after).orderBy('n').limit(most).execute()
    const actions = rows.map(toAction)
    found.push(...actions.filter(isInTheWay))
    const over = actions.filter((action) => !isInTheWay(action)).map(({ id }) => id)
    if (over.length > 0)
      await db.updateTable('actions').set({ maybe_session: 0 }).where('id', 'in', over).execute()
    if (rows.length < most) break
    after = rows.at(-1)?.n ?? after
  }
  return found.slice(0, most)
}

interface Into {
  readonly db: Kysely<Tables>
  readonly touched: Touched
}

async function create(
  { db, touched }: Into,
  order: Order,
  commands: readonly CommandOutcome[],
): Promise<Action> {
  const action = issue(order, commands)
  const { id, machineId, type, requestor, comment, parameters, createdAt: at } = order
  const { runLimitMs, computerDnsName, externalId, scope, reversible } = order
  const how = { runLimitMs, computerDnsName, externalId, scope, reversible }
  const data = { id, machineId, type, comment, parameters, ...how, ...whenOf(order) }
  const notes = [{ kind: 'action.requested', actor: requestor, alarm: false, data }]
  const written = { chain: machineId, notes, at, cause: undefined, action: { id, before: null } }
  const last = await appendEvents({ db, touched }, written)
  const lookAt = action.deadlineAt?.getTime() ?? null
  const session = type === 'LiveResponse' ? 1 : 0
  const row = { ...toRow(action), maybe_live: 1, look_at: lookAt, last_event: last, maybe_session: session }
  const { n } = await db.insertInto('actions').values(row).returning('n').executeTakeFirstOrThrow()
  touched.actions.add(id)
  return withRow(action, { ...row, n })
}

interface Step {
  readonly event: ActionEvent
  readonly at: Date
  readonly cause: Cause | undefined
}

async function tryAdvance(
  { db, touched }: Into,
  before: Action,
  { event, at, cause }: Step,
): Promise<Action> {
  const after = advance(before, event, at)
  const notes = recordOf(before, after, event)
  if (after === before && notes.length === 0) return before

  return record({ db, touched }, { before, after }, { notes, at, cause })
}

/** The action as it is now, its events and the end of its history, together. */
async function record(
  { db, touched }: Into,
  { before, after }: { before: Action; after: Action },
  { notes, at, cause }: { notes: readonly EventNote[]; at: Date; cause: Cause | undefined },
): Promise<Action> {
  const { id, machineId: chain, version } = before
  const row = rowOf(before)
  const { n, last_event: lastEvent, look_at: lookAt } = row
  const action = { id, before: lastEvent }
  const last = await appendEvents({ db, touched }, { chain, notes, at, cause, action })
  const guard = { n, before_version: version, before_event: lastEvent }
  const changed = { ...changing(after), last_event: last }
  const { numAffectedRows } = await updateAction(db, { ...changed, ...guard })
  // Version and history both: a request that was only noted moves the one and not the other.
  if (numAffectedRows === 0n) throw new StaleWrite()
  touched.actions.add(id)
  if (ownerOf(before) === 'device' && !isOpen(after)) touched.ended.add(id)
  const step = cancelStep(before, after, at, cause?.seq ?? null)
  if (step !== null) touched.cancels.push(step)
  const dueAt = after.deadlineAt?.getTime() ?? null
  const isSooner = dueAt !== null && (lookAt === null || dueAt < lookAt)
  if (isSooner) await moveLook(db, { id, look_at: dueAt })
  const told = after === before ? { ...after } : after
  return withRow(told, { ...row, ...changed, look_at: isSooner ? dueAt : lookAt })
}

type Update = Pick<Selectable<ActionRow>, 'n' | 'state' | 'phase' | 'version' | 'last_event'>

const updateAction = hot((db, row: Update & { before_version: number; before_event: number | null }) => {
  const { state, phase, version } = row
  // No column that is in an index: SQLite would write that index too, even for the same value.
  return db
    .updateTable('actions')
    .set({ state, phase, version, last_event: row.last_event })
    .where('n', '=', row.n)
    .where('version', '=', row.before_version)
    .where('last_event', '=', row.before_event)
})

const moveLook = hot((db, row: Pick<Selectable<ActionRow>, 'id' | 'look_at'>) =>
  db.updateTable('actions').set({ look_at: row.look_at }).where('id', '=', row.id),
)

const lookNoMore = hot((db, { id }: { id: string }) =>
  db.updateTable('actions').set({ look_at: null, maybe_session: 0 }).where('id', '=', id),
)
