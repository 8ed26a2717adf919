/** What is told, after its commit, of a cancel that has come one step further: for those who watch, not for the record. */
import type { CancelState, Proof } from '@countermand/contract'
import type { Action } from './action-shape.ts'
import { isOutstanding } from './action.ts'

export interface CancelStep {
  readonly state: CancelState
  /** Final: the action has ended with it. */
  readonly isEnd: boolean
  /** From the request until now, in milliseconds. */
  readonly tookMs: number
  /** Null where the request was not traced. */
  readonly traced: TracedStep | null
}

export interface TracedStep {
  /** The span of the call that asked for the cancel, as a W3C traceparent. */
  readonly trace: string
  readonly actionId: string
  readonly deviceId: string
  /** Milliseconds since 1970. */
  readonly requestedAt: number
  readonly at: number
  readonly proof: Proof | null
  /** Number of the device's statement that brought it about; null for none. */
  readonly statement: number | null
  /** When the device began, and when all had ended, by its own clock; null where it never began. */
  readonly ran: { readonly startedAt: number; readonly endedAt: number } | null
}

/** Null where the cancel stands as before; what is said after an action's end is no step. */
export function cancelStep(
  before: Action,
  after: Action,
  at: Date,
  statement: number | null,
): CancelStep | null {
  const { cancel } = after
  if (cancel === null || cancel.state === before.cancel?.state || before.finishedAt !== null) return null
  const requestedAt = cancel.requestedAt.getTime()
  const isEnd = !isOutstanding(cancel)
  const { trace } = cancel
  // Where nobody traces, the steps before the last are of no use to anybody.
  if (!isEnd && trace === undefined) return null
  return {
    state: cancel.state,
    isEnd,
    tookMs: at.getTime() - requestedAt,
    traced:
      trace === undefined
        ? null
        : {
            trace,
            actionId: after.id,
            deviceId: after.machineId,
            requestedAt,
            at: at.getTime(),
            proof: after.proof,
            statement,
            ran: isEnd ? ranOf(after) : null,
          },
  }
}

function ranOf({ commands }: Action): TracedStep['ran'] {
  const times = (which: 'startedAt' | 'endedAt'): number[] =>
    commands.map((command) => Date.parse(command[which] ?? '')).filter((time) => !Number.isNaN(time))
  const [started, ended] = [times('startedAt'), times('endedAt')]
  return started.length === 0 || ended.length === 0
    ? null
    : { startedAt: Math.min(...started), endedAt: Math.max(...ended) }
}
