import type { Phase, Status } from '@countermand/contract'
import type { Action } from './action-shape.ts'

/** The six compatible words (`wire.md` 2.2) as a function of the phase; the reserved phases wait like the others. */
export const statusWords: Readonly<Record<Phase, Status>> = {
  awaiting_approval: 'Pending',
  scheduled: 'Pending',
  queued: 'Pending',
  offered: 'Pending',
  accepted: 'Pending',
  running: 'InProgress',
  settling: 'InProgress',
  succeeded: 'Succeeded',
  failed: 'Failed',
  timed_out: 'TimeOut',
  cancelled: 'Cancelled',
}

export const statusOf = ({ phase }: Pick<Action, 'phase'>): Status => statusWords[phase]

/** The reference's date of a cancel is when the action *was* cancelled: set exactly with `Cancelled`, never for a mere request. */
export const cancelledAt = (action: Action): Date | null =>
  action.phase === 'cancelled' ? action.finishedAt : null
