/** Whether the row of an action is what its events make of it: the row is a convenience, the events are the record. */
import type { Selectable } from 'kysely'
import type { Action } from '../core/action-shape.ts'
import { isOpen, isUndelivered } from '../core/action.ts'
import { isInTheWay } from '../core/request.ts'
import { toRow } from '../store/action-row.ts'
import type { ActionRow } from '../store/schema.ts'
import { isSame } from './chain.ts'
import { Fault, isObject, parsed } from './fault.ts'
import type { Replayed } from './history.ts'

type Row = Selectable<ActionRow>

/** `newest`: row number of the newest event of the chain. @throws Fault */
export function checkAction(row: Row, replayed: Replayed | undefined, newest: number): void {
  const where = `actions: ${row.id}`
  if (replayed === undefined) throw new Fault('added row', where, 'no event tells that it was requested')
  const { action, last } = replayed
  if (row.last_event !== last) {
    const isLater = row.last_event !== null && row.last_event > newest
    const what = `its last event is row ${row.last_event}, and the last that is kept of it is row ${last}`
    throw new Fault(isLater ? 'truncated tail' : 'changed row', where, what)
  }
  const [is, due] = [flat(row, where), flat(toRow(action), where)]
  // What is null inside of a column is left out, or says so.
  const inside = Object.keys(is).filter((each) => each.includes('.'))
  const name = [...Object.keys(due), ...inside].find((each) => !isSame(due[each] ?? null, is[each] ?? null))
  if (name === undefined) return checkLists(row, action, where)
  const [found, wanted] = [is[name], due[name]].map((each) => JSON.stringify(each ?? null))
  throw new Fault('changed row', where, `its ${name} is ${found}, and by its events it is ${wanted}`)
}

/** They may say more than is so, and never less: what no list leads to is never ended, taken back or counted. */
function checkLists(row: Row, action: Action, where: string): void {
  if (row.maybe_live !== 1 && (isOpen(action) || isUndelivered(action))) {
    throw new Fault('changed row', where, 'it is live by its events, and not in the list of live actions')
  }
  if (row.maybe_session !== 1 && action.type === 'LiveResponse' && isInTheWay(action)) {
    throw new Fault(
      'changed row',
      where,
      'it is open by its events, and not in the list of open live responses',
    )
  }
  const { deadlineAt } = action
  if (deadlineAt === null || (row.look_at !== null && row.look_at <= deadlineAt.getTime())) return
  throw new Fault('changed row', where, 'nobody looks at it again by its deadline')
}

/** The columns, with what two of them hold spread out. */
function flat(row: Pick<Row, 'asked' | 'state'>, where: string): Readonly<Record<string, unknown>> {
  const { asked, state, ...columns } = row
  const inside = { asked: parsed(asked, isObject, where), state: parsed(state, isObject, where) }
  const spread = Object.entries(inside).flatMap(([column, held]) =>
    Object.entries(held).map(([name, value]) => [`${column}.${name}`, value] as const),
  )
  return { ...columns, ...Object.fromEntries(spread) }
}
