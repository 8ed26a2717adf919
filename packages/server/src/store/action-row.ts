/** An action as a row, and back. */
import type { Selectable } from 'kysely'
import type { Action, Cancel, Order } from '../core/action-shape.ts'
import type { ActionRow } from './schema.ts'

type Times<T> = {
  readonly [Key in keyof T]: T[Key] extends Date
    ? number
    : T[Key] extends Date | null
      ? number | null
      : T[Key]
}
/** Left out where it is null, since most of it is for most of an action's life; rows of earlier versions say null. */
type Said<T> = { readonly [Key in keyof T]?: T[Key] | undefined }
type When = 'notBefore' | 'notAfter' | 'whenOffline'
type Wish = 'comment' | 'externalId' | 'scope'
/** But what has a column of its own. */
type Asked = Omit<Order, 'id' | 'type' | 'machineId' | 'requestor' | 'createdAt' | When | Wish> &
  Said<Times<Pick<Order, When>> & Pick<Order, Wish>>
type State = Pick<Action, 'attempt' | 'effect' | 'commands'> &
  Times<Pick<Action, 'updatedAt'>> &
  Said<Pick<Action, 'proof' | 'reason' | 'detail' | 'lateOutcome'>> &
  Said<Times<Pick<Action, 'finishedAt' | 'deadlineAt'>>> &
  Said<{ readonly cancel: Times<Cancel> | null }>

type Row = Selectable<ActionRow>

/** Columns that lists are made by, and the end of its history. */
type List = 'n' | 'maybe_live' | 'look_at' | 'last_event' | 'maybe_session'

/** All that an action is made of. */
export type OwnColumns = Omit<Row, List>

/** What else the row of an action said when it was read. Beside it, because nobody else's business. */
const rows = new WeakMap<Action, Row>()

/** @throws Error for an action that does not come from a row */
export function rowOf(action: Action): Row {
  const row = rows.get(action)
  if (row === undefined) throw new Error(`Action ${action.id} was not read from here.`)
  return row
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- whatever it is: a map knows its own keys only
export const isFromRow = (action: unknown): action is Action => rows.has(action as Action)

/** The same action, now with this row. */
export function withRow(action: Action, row: Row): Action {
  rows.set(action, row)
  return action
}

export function toRow(action: Action): OwnColumns {
  const { id, type, machineId, computerDnsName, requestor, comment, externalId, scope } = action
  const { reversible, runLimitMs, parameters } = action
  const wishes = {
    comment: comment ?? undefined,
    externalId: externalId ?? undefined,
    scope: scope ?? undefined,
  }
  const how = { computerDnsName, ...wishes, reversible, runLimitMs, parameters }
  const asked: Asked = { ...how, ...whenOf(action) }
  return {
    id,
    type,
    requestor,
    machine_id: machineId,
    created_at: action.createdAt.getTime(),
    asked: JSON.stringify(asked),
    ...changing(action),
  }
}

/**
 * A row that grows makes SQLite divide its page and write the neighbours: half as much again for each cancel. So the state has
 * from the beginning the room that it needs for an ordinary end, and no more: two ordinary rows fit on a page of `sqlite/file.ts`.
 */
const roomToGrow = 540

/** The columns that a step may change. */
export function changing(action: Action): Pick<Row, 'state' | 'phase' | 'version'> {
  const { attempt, proof, reason, effect, commands, detail, lateOutcome, cancel, updatedAt, finishedAt } =
    action
  const state: State = {
    attempt,
    proof: proof ?? undefined,
    reason: reason ?? undefined,
    effect,
    commands,
    detail: detail ?? undefined,
    lateOutcome: lateOutcome ?? undefined,
    cancel:
      cancel === null
        ? undefined
        : {
            ...cancel,
            requestedAt: cancel.requestedAt.getTime(),
            deadlineAt: cancel.deadlineAt.getTime(),
          },
    updatedAt: updatedAt.getTime(),
    finishedAt: finishedAt?.getTime(),
    deadlineAt: action.deadlineAt?.getTime(),
  }
  return {
    state: JSON.stringify(state).padEnd(roomToGrow),
    phase: action.phase,
    version: action.version,
  }
}

export const toAction = (row: Row): Action => withRow(actionOf(row), row)

/** Field by field: what is spread together takes twice as long to read afterwards. */
export function actionOf(row: OwnColumns): Action {
  const asked: Asked = JSON.parse(row.asked)
  const state: State = JSON.parse(row.state)
  return {
    id: row.id,
    type: row.type,
    machineId: row.machine_id,
    computerDnsName: asked.computerDnsName,
    requestor: row.requestor,
    comment: asked.comment ?? null,
    externalId: asked.externalId ?? null,
    scope: asked.scope ?? null,
    reversible: asked.reversible,
    runLimitMs: asked.runLimitMs,
    notBefore: dateOf(asked.notBefore),
    notAfter: dateOf(asked.notAfter),
    whenOffline: asked.whenOffline ?? 'queue',
    parameters: asked.parameters,
    createdAt: new Date(row.created_at),
    version: row.version,
    phase: row.phase,
    attempt: state.attempt,
    cancel: state.cancel ? toCancel(state.cancel) : null,
    effect: state.effect,
    proof: state.proof ?? null,
    reason: state.reason ?? null,
    deadlineAt: dateOf(state.deadlineAt),
    updatedAt: new Date(state.updatedAt),
    finishedAt: dateOf(state.finishedAt),
    commands: state.commands,
    detail: state.detail ?? null,
    lateOutcome: state.lateOutcome ?? null,
  }
}

const dateOf = (time: number | null | undefined): Date | null =>
  typeof time === 'number' ? new Date(time) : null

const toCancel = (cancel: Times<Cancel>): Cancel => ({
  ...cancel,
  // Rows of an earlier version say nothing of it.
  graceMs: cancel.graceMs ?? 0,
  requestedAt: new Date(cancel.requestedAt),
  deadlineAt: new Date(cancel.deadlineAt),
})

/** When it may be begun, as it is told: nothing where nobody said anything. */
export const whenOf = ({ notBefore, notAfter, whenOffline }: Order): object => ({
  ...(notBefore !== null && { notBefore: notBefore.getTime() }),
  ...(notAfter !== null && { notAfter: notAfter.getTime() }),
  ...(whenOffline !== 'queue' && { whenOffline }),
})
