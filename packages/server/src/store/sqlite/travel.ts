/** How what a batch has done travels between threads: cloned, but for actions, which are the values of their rows on the way. */
import type { Action } from '../../core/action-shape.ts'
import { actionOf, isFromRow, rowOf, type OwnColumns } from '../action-row.ts'
import type { Done } from './batch.ts'
import type { Result } from '../result.ts'

/** Without names: with all that it is made of, an action is cloned for ten times as much. */
type Values = readonly [
  id: string,
  machineId: string,
  type: OwnColumns['type'],
  requestor: string,
  createdAt: number,
  asked: string,
  state: string,
  phase: OwnColumns['phase'],
  version: number,
]

/** Stands for a result that has an `action`. */
interface WithAction {
  readonly rest: object
  readonly action: Values
}

export interface Packed extends Pick<Done, 'change'> {
  readonly results: readonly (Result | WithAction)[]
}

export const pack = ({ results, change }: Done): Packed => ({ results: results.map(packed), change })
export const unpack = ({ results, change }: Packed): Done => ({ results: results.map(unpacked), change })

function packed(result: Result): Result | WithAction {
  if (!result.ok || !hasAction(result.value)) return result
  const { action, ...rest } = result.value
  return { rest, action: valuesOf(rowOf(action)) }
}

function unpacked(result: Result | WithAction): Result {
  return 'rest' in result
    ? { ok: true, value: { ...result.rest, action: actionOf(rowIn(result.action)) } }
    : result
}

/** Has it an `action` that was read or written here? */
const hasAction = (value: unknown): value is { readonly action: Action } =>
  typeof value === 'object' && value !== null && 'action' in value && isFromRow(value.action)

const valuesOf = (row: OwnColumns): Values => [
  row.id,
  row.machine_id,
  row.type,
  row.requestor,
  row.created_at,
  row.asked,
  row.state,
  row.phase,
  row.version,
]

function rowIn([
  id,
  machineId,
  type,
  requestor,
  createdAt,
  asked,
  state,
  phase,
  version,
]: Values): OwnColumns {
  return { id, machine_id: machineId, type, requestor, created_at: createdAt, asked, state, phase, version }
}
