import { actions } from '@countermand/contract'
import type { Action } from '../../core/action-shape.ts'
import { isOpen, isOutstanding, ownerOf } from '../../core/action.ts'
import { Refusal, type RefusalCode } from '../../core/errors.ts'
import { refuseWithout, type Caller } from '../../core/permission.ts'
import { cancelLimitMs, refuseSilent } from '../../core/policies.ts'
import { onceOf, sameAsBefore } from './once.ts'
import { findAction, unknownAction } from './read-action.ts'
import type { App } from '../ports.ts'
import type { Once, Rooms, Work } from '../rows.ts'

/**
 * Takes an action back. The request is on disk when this returns; `cancelled` is said only with a proof, for which an
 * online device is waited for a moment.
 * @throws Refusal ResourceNotFound; BadRequest when the action has ended otherwise; Forbidden, MissingRequiredParameter by
 * policy; StaleVersion (`Conflict`) where another version is expected.
 */
export async function cancelAction(app: App, wish: CancelWish): Promise<Action> {
  const { policies } = app
  const { id, caller, comment, attest, expectedVersion, key } = wish
  if (attest !== null) refuseWithout(caller, ['Countermand.Force'])
  refuseSilent(policies, comment)
  const request = {
    id,
    by: caller.name,
    comment,
    attest,
    expectedVersion,
    graceMs: wish.graceMs ?? policies.graceMs,
    limitMs: policies.cancelLimitMs,
    // What travels to the database's thread is copied; so no more than it needs.
    only: policies.cancelPermission === 'type' ? caller : null,
    ...(wish.trace !== undefined && { trace: wish.trace }),
    once: onceOf(app, caller.id, key, { id, comment, attest, expectedVersion, graceMs: wish.graceMs }),
  }
  const span = app.tracer?.start('internal', 'store requestCancel', wish.trace ?? null)
  const { action, refused } = await app.store
    .write('requestCancel', request)
    .finally(() => span?.end({ 'countermand.action.id': id }))
  if (refused?.code === 'Conflict') throw new StaleVersion(refused.message, action)
  if (refused !== null) throw new Refusal(refused.code, refused.message)
  const wait = wish.waitMs ?? app.settleWithinMs
  return isOpen(action) && wait > 0 ? settled(app, action, wait) : action
}

export interface CancelWish {
  readonly id: string
  readonly caller: Caller
  readonly comment: string | null
  /** Between asking processes to end and killing them; null for what the policy has. */
  readonly graceMs: number | null
  /** Forced, with these words; null for an ordinary cancel. */
  readonly attest: string | null
  readonly expectedVersion: number | null
  /** How long to wait for the proof; null for as long as configured. */
  readonly waitMs: number | null
  /** `Idempotency-Key`. */
  readonly key: string | null
  /** The span of the call, as a W3C traceparent; kept with the request, so that what follows finds its trace. */
  readonly trace?: string | undefined
}

export interface CancelRequest extends Pick<CancelWish, 'id' | 'comment' | 'attest' | 'expectedVersion'> {
  readonly by: string
  readonly graceMs: number
  /** How long it waits for its device. */
  readonly limitMs: number
  /** Who has to hold the permission of the action's own type; null where any of the seven will do. */
  readonly only: Caller | null
  readonly once: Once | null
  readonly trace?: string
}

/** 409 with the action as it is, so that whoever asks can decide anew. */
export class StaleVersion extends Refusal {
  readonly action: Action

  constructor(message: string, action: Action) {
    super('Conflict', message)
    this.action = action
  }
}

export interface Requested {
  readonly action: Action
  readonly refused: { readonly code: RefusalCode; readonly message: string } | null
}

/** Every request is kept, one that is refused too: it is noted with the action, and refused once that is on disk. */
export const requestCancel: Work<CancelRequest, Requested> = async (rooms, request, { at }) => {
  const { id, once, by, comment } = request
  const repeated = await sameAsBefore(rooms, once)
  if (repeated !== null) return { action: repeated, refused: null }
  const before = await rooms.actions.find(id)
  if (before === null) throw unknownAction(id)
  try {
    refuseByRequest(before, request)
    const action = await advanced(rooms, before, request, at)
    if (once !== null) await rooms.idempotency.keep({ ...once, actionId: id }, at)
    return { action, refused: null }
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown
    const { code, message } = thrown
    // The rules of an action's life say no with this code only; any other no is this server's own.
    const data = { comment, why: message, ...(code !== 'BadRequest' && { policy: true }) }
    const note = { kind: 'action.cancel_denied', actor: by, alarm: false, data }
    await rooms.actions.note(before, note, at)
    return { action: before, refused: { code, message } }
  }
}

/** @throws Refusal Forbidden, Conflict */
function refuseByRequest(action: Action, { only, expectedVersion }: CancelRequest): void {
  if (only !== null) refuseWithout(only, [actions[action.type].permission])
  if (expectedVersion === null || expectedVersion === action.version) return
  throw new Refusal(
    'Conflict',
    `The action has version ${action.version}, and ${expectedVersion} was expected.`,
  )
}

async function advanced(
  rooms: Rooms,
  before: Action,
  { by, comment, graceMs, limitMs, attest, trace }: CancelRequest,
  at: Date,
): Promise<Action> {
  const more = {
    ...(trace !== undefined && { trace }),
    ...(limitMs !== cancelLimitMs && { limitMs }),
  }
  const event = { kind: 'cancel_requested', by, comment, reason: 'user', ...more } as const
  if (attest === null) {
    return rooms.actions.advance(before, { ...event, ...(graceMs > 0 && { graceMs }) }, at)
  }
  const device = await rooms.devices.find(before.machineId)
  refuseHeard(before, device?.lastSeen ?? null, at)
  const requested = isOutstanding(before.cancel) ? before : await rooms.actions.advance(before, event, at)
  // What no device had yet is taken back by that alone, and needs nobody's word.
  if (!isOpen(requested)) return requested
  return rooms.actions.advance(requested, { kind: 'forced', by, comment: attest }, at)
}

/** A device that is there says itself what has become of the action; one that is not is given this long. */
const silenceMs = 2 * 60_000

/** @throws Refusal DisallowedOperation where the device has spoken lately, and holds the action */
function refuseHeard(action: Action, lastSeen: Date | null, at: Date): void {
  const silentFor = lastSeen === null ? Infinity : at.getTime() - lastSeen.getTime()
  // What no device has needs nobody's word; what is over is refused for that.
  if (ownerOf(action) !== 'device' || silentFor >= silenceMs) return
  const seconds = Math.max(0, Math.floor(silentFor / 1_000))
  throw new Refusal(
    'DisallowedOperation',
    `A cancel is forced only where the device is silent; this one spoke ${seconds} seconds ago. Cancel without force, and it ` +
      'will say itself what has become of the action.',
  )
}

/** The action once it has ended, or as it is when the wait is over. */
async function settled(app: App, action: Action, waitMs: number): Promise<Action> {
  const timeUp = AbortSignal.timeout(waitMs)
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
