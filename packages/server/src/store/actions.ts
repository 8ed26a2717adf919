import type { CommandOutcome } from '@countermand/contract'
import { sql, type Insertable, type Kysely, type Selectable } from 'kysely'
import type { ActionRows, Cause } from '../app/ports.ts'
import type { Action, ActionEvent, Cancel, Effect, Order } from '../core/action-shape.ts'
import { advance, isOpen, isUndelivered, issue } from '../core/action.ts'
import { recordOf, type Recorded } from '../core/history.ts'
import { appendEvent } from './events.ts'
import type { ActionRow, Tables } from './schema.ts'
import { StaleWrite } from './stale-write.ts'
import type { Touched } from './touched.ts'

export function openActions(db: Kysely<Tables>, touched: Touched): ActionRows {
  const rows = db.selectFrom('actions').selectAll()
  return {
    find: async (id) => {
      const row = await rows.where('id', '=', id).executeTakeFirst()
      return row === undefined ? null : toAction(row)
    },
    list: async ({ top, skip }) =>
      (await rows.orderBy('n', 'desc').limit(top).offset(skip).execute()).map(toAction),
    // The literal lets SQLite use the partial index; a bound value would not.
    liveOf: async (machineId) =>
      (
        await rows.where('machine_id', '=', machineId).where('live', '=', sql.lit(1)).orderBy('n').execute()
      ).map(toAction),
    overdue: async (at, most) =>
      (await rows.where('deadline_at', '<=', at.getTime()).orderBy('deadline_at').limit(most).execute()).map(
        toAction,
      ),
    open: async () => (await rows.where('deadline_at', 'is not', null).execute()).map(toAction),
    create: (order, commands) => create({ db, touched }, order, commands),
    advance: (action, event, at, cause) => tryAdvance({ db, touched }, action, { event, at, cause }),
  }
}

interface Into {
  readonly db: Kysely<Tables>
  readonly touched: Touched
}

async function create(into: Into, order: Order, commands: readonly CommandOutcome[]): Promise<Action> {
  const action = issue(order, commands)
  await into.db
    .insertInto('actions')
    .values({ ...toRow(action), last_event: null })
    .execute()
  const { id, machineId, type, requestor, comment, parameters, createdAt } = order
  const data = { id, machineId, type, comment, parameters }
  const requested = { kind: 'action.requested', actor: requestor, alarm: false, data }
  const last = await record(into, action, {
    notes: [requested],
    before: null,
    at: createdAt,
    cause: undefined,
  })
  await into.db.updateTable('actions').set({ last_event: last }).where('id', '=', id).execute()
  return action
}

interface Step {
  readonly event: ActionEvent
  readonly at: Date
  readonly cause: Cause | undefined
}

async function tryAdvance(into: Into, before: Action, step: Step): Promise<Action> {
  const after = advance(before, step.event, step.at)
  const notes = recordOf(before, after, step.event)
  if (after === before && notes.length === 0) return before

  const { db } = into
  const where = db.selectFrom('actions').select(['last_event', 'version']).where('id', '=', before.id)
  const { last_event: lastEvent, version } = await where.executeTakeFirstOrThrow()
  if (version !== before.version) throw new StaleWrite()
  const last = await record(into, after, { notes, before: lastEvent, at: step.at, cause: step.cause })

  const changed = after === before ? {} : changing(after)
  const { numUpdatedRows } = await db
    .updateTable('actions')
    .set({ ...changed, last_event: last })
    .where('id', '=', before.id)
    .where('version', '=', before.version)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) throw new StaleWrite()
  return after
}

interface Record {
  readonly notes: readonly Recorded[]
  readonly before: number | null
  readonly at: Date
  readonly cause: Cause | undefined
}

async function record(
  into: Into,
  action: Action,
  { notes, before, at, cause }: Record,
): Promise<number | null> {
  let last = before
  for (const note of notes) {
    last = await appendEvent(into, {
      chain: action.machineId,
      note,
      at,
      cause,
      action: { id: action.id, before: last },
    })
  }
  into.touched.actions.add(action.id)
  return last
}

type Times<T> = { readonly [Key in keyof T]: T[Key] extends Date ? number : T[Key] }
type Asked = Times<Order>
interface State extends Pick<Action, 'attempt' | 'proof' | 'reason' | 'commands' | 'detail' | 'lateOutcome'> {
  readonly effect: Effect
  readonly cancel: Times<Cancel> | null
  readonly updatedAt: number
  readonly finishedAt: number | null
}

function toRow(action: Action): Omit<Insertable<ActionRow>, 'last_event'> {
  const { id, type, machineId, computerDnsName, requestor, comment, externalId, scope } = action
  const { reversible, runLimitMs, parameters } = action
  const createdAt = action.createdAt.getTime()
  const who = { id, type, machineId, computerDnsName, requestor, comment, externalId, scope }
  const asked: Asked = { ...who, reversible, runLimitMs, parameters, createdAt }
  return {
    id,
    type,
    requestor,
    machine_id: machineId,
    created_at: createdAt,
    asked: JSON.stringify(asked),
    ...changing(action),
  }
}

/** The columns that a step may change. */
function changing(
  action: Action,
): Pick<Insertable<ActionRow>, 'state' | 'phase' | 'version' | 'live' | 'deadline_at'> {
  const { attempt, proof, reason, effect, commands, detail, lateOutcome, cancel, updatedAt, finishedAt } =
    action
  const state: State = {
    attempt,
    proof,
    reason,
    effect,
    commands,
    detail,
    lateOutcome,
    cancel: cancel && {
      ...cancel,
      requestedAt: cancel.requestedAt.getTime(),
      deadlineAt: cancel.deadlineAt.getTime(),
    },
    updatedAt: updatedAt.getTime(),
    finishedAt: finishedAt?.getTime() ?? null,
  }
  return {
    state: JSON.stringify(state),
    phase: action.phase,
    version: action.version,
    live: isOpen(action) || isUndelivered(action) ? 1 : 0,
    deadline_at: action.deadlineAt?.getTime() ?? null,
  }
}

function toAction(row: Selectable<ActionRow>): Action {
  const asked: Asked = JSON.parse(row.asked)
  const { cancel, updatedAt, finishedAt, ...state }: State = JSON.parse(row.state)
  return {
    ...asked,
    ...state,
    phase: row.phase,
    version: row.version,
    createdAt: new Date(asked.createdAt),
    updatedAt: new Date(updatedAt),
    finishedAt: finishedAt === null ? null : new Date(finishedAt),
    deadlineAt: row.deadline_at === null ? null : new Date(row.deadline_at),
    cancel: cancel && {
      ...cancel,
      requestedAt: new Date(cancel.requestedAt),
      deadlineAt: new Date(cancel.deadlineAt),
    },
  }
}
