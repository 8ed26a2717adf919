import type { Action } from '../core/action-shape.ts'
import { isOpen } from '../core/action.ts'
import { Refusal } from '../core/errors.ts'
import { findAction, unknownAction } from './read-action.ts'
import type { App, Work } from './ports.ts'

/**
 * Takes an action back. The request is on disk when this returns; `cancelled` is said only with a proof, for which an
 * online device is waited for a moment.
 * @throws Refusal ResourceNotFound; BadRequest when the action has ended otherwise.
 */
export async function cancelAction(app: App, request: CancelRequest): Promise<Action> {
  const span = app.tracer?.start('internal', 'store requestCancel', request.trace ?? null)
  const { action, refused } = await app.store
    .write('requestCancel', request)
    .finally(() => span?.end({ 'countermand.action.id': request.id }))
  if (refused !== null) throw new Refusal('BadRequest', refused)
  return isOpen(action) && app.settleWithinMs > 0 ? settled(app, action) : action
}

export interface CancelRequest {
  readonly id: string
  readonly by: string
  readonly comment: string | null
  /** The span of the call, as a W3C traceparent; kept with the request, so that what follows finds its trace. */
  readonly trace?: string
}

/** Every request is kept, one that is refused too: it is noted with the action, and refused once that is on disk. */
export const requestCancel: Work<CancelRequest, { action: Action; refused: string | null }> = async (
  { actions },
  { id, by, comment, trace },
  { at },
) => {
  const before = await actions.find(id)
  if (before === null) throw unknownAction(id)
  try {
    const traced = trace === undefined ? {} : { trace }
    const event = { kind: 'cancel_requested', by, comment, reason: 'user', ...traced } as const
    return { action: await actions.advance(before, event, at), refused: null }
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown
    const data = { comment, why: thrown.message }
    await actions.note(before, { kind: 'action.cancel_denied', actor: by, alarm: false, data }, at)
    return { action: before, refused: thrown.message }
  }
}

/** The action once it has ended, or as it is when the wait is over. */
async function settled(app: App, action: Action): Promise<Action> {
  const timeUp = AbortSignal.timeout(app.settleWithinMs)
  for (;;) {
    // Listening comes before the look: an end that is committed between the two is not missed.
    const changed = Promise.withResolvers<void>()
    const stop = app.bus.onAction(action.id, changed.resolve)
    timeUp.addEventListener('abort', () => changed.resolve(), { once: true })
    try {
      const now = await findAction(app, action.id)
      if (!isOpen(now) || timeUp.aborted) return now
      await changed.promise
    } finally {
      stop()
    }
  }
}
