/** The lifecycle of an action: what is possible, what follows. The one place that decides either. */
import {
  actions as types,
  isRunType,
  type ActionTypeRow,
  type CancelState,
  type CommandOutcome,
  type Phase,
  type Proof,
  type Reason,
} from '@countermand/contract'
import type {
  Action,
  ActionEvent,
  CallerEvent,
  Cancel,
  DeviceEvent,
  Effect,
  GoneReason,
  Order,
} from './action-shape.ts'
import { deadlineOf } from './deadline.ts'
import { Refusal } from './errors.ts'
import { late } from './late.ts'
import { cancelLimitMs } from './policies.ts'
import { statusOf } from './status.ts'

const waiting: readonly Phase[] = ['awaiting_approval', 'scheduled', 'queued']
const before: readonly Phase[] = ['offered', 'accepted']
const active: readonly Phase[] = ['running', 'settling']
const onDevice: readonly Phase[] = [...before, ...active]
export const openPhases: readonly Phase[] = [...waiting, ...onDevice]

/** The lifecycle as a table: in which phases each event means anything. */
const meaningful: Readonly<Record<ActionEvent['kind'], readonly Phase[]>> = {
  released: ['scheduled'],
  offered: ['queued', 'offered'],
  accepted: ['offered'],
  started: before,
  stepped: [...before, 'running'],
  ended: [...before, 'running'],
  finished: onDevice,
  cancel_acknowledged: onDevice,
  not_received: ['offered'],
  refused_start: before,
  stopped: onDevice,
  reverted: onDevice,
  revert_failed: onDevice,
  cannot_stop: active,
  unkillable: active,
  journal_lost: ['accepted', ...active],
  cancel_sent: onDevice,
  deadline_passed: openPhases,
  device_gone: openPhases,
  cancel_requested: openPhases,
  forced: onDevice,
}

/** Words that only an outstanding cancel makes possible; without one they are the device's mistake, or ours. */
const needsCancel: readonly ActionEvent['kind'][] = [
  'cancel_acknowledged',
  'cancel_sent',
  'not_received',
  'refused_start',
  'stopped',
  'reverted',
  'revert_failed',
  'cannot_stop',
  'unkillable',
  'forced',
]

const outstandingStates: readonly CancelState[] = ['requested', 'sent', 'acknowledged']

export const isOpen = (action: Pick<Action, 'phase'>): boolean => openPhases.includes(action.phase)
export const isOutstanding = (cancel: Cancel | null): cancel is Cancel =>
  cancel !== null && outstandingStates.includes(cancel.state)
/** A device must be told of it: open with a cancel, or ended by force or time while the cancel had not arrived. */
export const isUndelivered = (action: Action): boolean => action.cancel?.undelivered ?? false
/** Who must act next, so that no open action is forgotten. */
export const ownerOf = ({ phase }: Pick<Action, 'phase'>): 'server' | 'device' | null =>
  waiting.includes(phase) ? 'server' : onDevice.includes(phase) ? 'device' : null

/** A newly issued action. */
export function issue(order: Order, commands: readonly CommandOutcome[]): Action {
  const isAhead = order.notBefore !== null && order.notBefore > order.createdAt
  const action: Action = {
    ...order,
    version: 1,
    phase: isAhead ? 'scheduled' : 'queued',
    attempt: 0,
    cancel: null,
    effect: { state: 'none', residues: [] },
    proof: null,
    reason: null,
    deadlineAt: null,
    updatedAt: order.createdAt,
    finishedAt: null,
    commands,
    detail: null,
    lateOutcome: null,
  }
  return { ...action, deadlineAt: deadlineOf(action, action.phase, order.createdAt) }
}

/**
 * Given what is and what happened, says what is now. Pure: the clock comes in as `at`.
 * A device's word that fits no transition changes no phase (it is kept as an event all the same); a caller who asks for
 * the impossible is refused. Returns the very same object where nothing changed.
 */
export function advance(action: Action, event: ActionEvent, at: Date): Action {
  if (event.kind === 'cancel_requested' && sameRequest(action, event)) return action
  if (!meaningful[event.kind].includes(action.phase)) return outOfPlace(action, event, at)
  if (needsCancel.includes(event.kind) && !isOutstanding(action.cancel) && !isForgotten(action, event)) {
    return outOfPlace(action, event, at)
  }

  const change = consequence(action, event, at)
  if (change === null) return action
  const next = { ...action, ...change, updatedAt: at, version: action.version + 1 }
  if (isOpen(next)) return { ...next, deadlineAt: deadlineAfter(action, next, at) }
  return { ...next, deadlineAt: null, finishedAt: at }
}

/**
 * A device tells how a cancel ended that nobody here knows of: this server was put back from a backup since. Its signed word
 * stands, or an action would wait for an end that it has had.
 */
export const isForgotten = ({ cancel }: Action, { kind }: ActionEvent): boolean =>
  cancel === null && (kind === 'stopped' || kind === 'refused_start' || kind === 'reverted')

/** The same caller with the same words, so that a lost answer can be asked for again. */
function sameRequest({ phase, cancel }: Action, event: CallerEvent & { kind: 'cancel_requested' }): boolean {
  const repeatable = isOutstanding(cancel) || phase === 'cancelled'
  return repeatable && cancel?.by === event.by && cancel.comment === event.comment
}

function deadlineAfter(action: Action, next: Action, at: Date): Date {
  if (isOutstanding(next.cancel)) return next.cancel.deadlineAt
  if (next.phase === action.phase && action.deadlineAt !== null) return action.deadlineAt
  return deadlineOf(next, next.phase, at)
}

/** An event that means nothing where the action stands. */
function outOfPlace(action: Action, event: ActionEvent, at: Date): Action {
  if (event.kind === 'cancel_requested') {
    throw new Refusal('BadRequest', alreadyOver(action))
  }
  if (event.kind === 'forced') {
    throw new Refusal('BadRequest', 'Only an action with an outstanding cancel on its device can be forced.')
  }
  return isOpen(action) ? action : late(action, event, at)
}

/** Names the state, who cancelled and when, and what can still be done. */
function alreadyOver(action: Action): string {
  const when = action.finishedAt?.toISOString() ?? 'earlier'
  if (action.phase === 'cancelled') {
    return `The action is already Cancelled, by ${action.cancel?.by ?? 'the server'} at ${when}.`
  }
  const { inverse }: ActionTypeRow = types[action.type]
  const instead = action.phase === 'succeeded' && inverse !== undefined ? ` ${inverse} takes it back.` : ''
  return `The action is already ${statusOf(action)} since ${when} and can no longer be cancelled; what it did stays.${instead}`
}

/** What changes, apart from times and version; null for nothing. */
function consequence(action: Action, event: ActionEvent, at: Date): Partial<Action> | null {
  const { cancel } = action
  const outstanding = isOutstanding(cancel)
  switch (event.kind) {
    case 'released':
      return action.notBefore === null || at >= action.notBefore ? { phase: 'queued' } : null
    case 'offered':
      return outstanding ? null : { phase: 'offered', attempt: action.attempt + 1 }
    case 'accepted':
      return { phase: 'accepted' }
    case 'started':
    case 'stepped':
      return { phase: 'running', commands: event.commands }
    case 'ended':
      return { phase: 'settling', commands: event.commands }
    case 'finished':
      return finished(action, event)
    case 'cancel_requested':
      return cancelRequested(action, event, at)
    case 'cancel_sent':
      return cancel?.state === 'requested' ? { cancel: { ...cancel, state: 'sent' } } : null
    case 'cancel_acknowledged':
      return cancel === null || cancel.state === 'acknowledged'
        ? null
        : { cancel: { ...cancel, state: 'acknowledged', undelivered: isStanding(action) } }
    case 'not_received':
      return proven(action, 'not_received', { state: 'none', residues: [] })
    case 'refused_start':
      return { ...proven(action, 'refused_start', { state: 'none', residues: [] }), commands: event.commands }
    case 'stopped':
      return { ...stopped(action, event), commands: event.commands }
    case 'reverted':
      return { ...proven(action, 'reverted', { state: 'reverted', residues: [] }), commands: event.commands }
    case 'revert_failed':
      return { ...revertFailed(action, event.residues), commands: event.commands }
    case 'cannot_stop':
      return cancel && { cancel: { ...cancel, refused: true, detail: event.detail } }
    case 'unkillable':
      return cancel && { cancel: { ...cancel, detail: event.detail } }
    case 'journal_lost':
      return { ...failedFor('journal_lost', cancel), effect: { state: 'unknown', residues: [] } }
    case 'deadline_passed':
      return overdue(action, at)
    case 'device_gone':
      return deviceGone(action, event.reason)
    case 'forced':
      return forced(action, event)
  }
}

function cancelRequested(
  action: Action,
  event: CallerEvent & { kind: 'cancel_requested' },
  at: Date,
): Partial<Action> | null {
  // The first request stands on the wire; the store keeps every later one as an event.
  if (isOutstanding(action.cancel)) return null
  const cancel: Cancel = {
    state: 'requested',
    by: event.by,
    comment: event.comment,
    reason: event.reason,
    requestedAt: at,
    deadlineAt: new Date(at.getTime() + (event.limitMs ?? cancelLimitMs)),
    graceMs: event.graceMs ?? 0,
    refused: false,
    detail: null,
    undelivered: true,
    ...(event.trace !== undefined && { trace: event.trace }),
    ...(event.supersededBy !== undefined && { supersededBy: event.supersededBy }),
  }
  // No copy ever left the server, so nobody else need agree; otherwise only the device can prove it.
  if (waiting.includes(action.phase))
    return proven({ ...action, cancel }, 'never_offered', { state: 'none', residues: [] })
  return { cancel }
}

/** It is asked for again until it stands no more, whatever has become of the action meanwhile. */
const isStanding = ({ type }: Action): boolean => !isRunType(type)

/** The one way to `cancelled`: with a proof. */
function proven(action: Action, proof: Proof, effect: Effect): Partial<Action> {
  const cancel = action.cancel && { ...action.cancel, state: 'confirmed' as const, undelivered: false }
  return { phase: 'cancelled', proof, effect, reason: action.cancel?.reason ?? 'user', cancel }
}

/** The processes are gone. A type with undo goes on to settle; its undo decides. */
function stopped(action: Action, event: DeviceEvent & { kind: 'stopped' }): Partial<Action> {
  if (action.reversible) return { phase: 'settling' }
  return proven(action, event.proof, {
    state: event.residues.length > 0 ? 'partial' : 'none',
    residues: event.residues,
  })
}

function finished(action: Action, event: DeviceEvent & { kind: 'finished' }): Partial<Action> {
  const { cancel } = action
  const { commands, detail } = event
  // With undo, the end of the work is not the end: what it did is taken back first.
  if (isOutstanding(cancel) && action.reversible) return { phase: 'settling', commands }
  const reason: Reason =
    event.outcome === 'timed_out' ? 'run_limit' : event.outcome === 'failed' ? 'error' : 'done'
  const known = isOutstanding(cancel)
    ? { ...cancel, state: cancel.refused ? ('refused' as const) : ('too_late' as const), undelivered: false }
    : cancel
  return {
    phase: event.outcome,
    reason,
    commands,
    detail,
    cancel: known,
    effect: effectOf(commands),
  }
}

/** Of commands none of which was begun, nothing is left. */
const effectOf = (commands: readonly CommandOutcome[]): Effect => {
  const isUntouched = commands.length > 0 && commands.every(({ startedAt }) => startedAt === null)
  return { state: isUntouched ? 'none' : 'applied', residues: [] }
}

function revertFailed(action: Action, residues: readonly string[]): Partial<Action> {
  const undelivered = isStanding(action)
  const cancel = action.cancel && { ...action.cancel, state: 'confirmed' as const, undelivered }
  return { phase: 'failed', reason: 'error', effect: { state: 'partial', residues }, cancel }
}

function failedFor(reason: Reason, cancel: Cancel | null): Partial<Action> {
  return { phase: 'failed', reason, cancel: isOutstanding(cancel) ? unconfirmed(cancel) : cancel }
}

const unconfirmed = (cancel: Cancel): Cancel => ({ ...cancel, state: 'unconfirmed' })

/** Its device has not said that it has it. */
const notTakenUp: readonly Phase[] = ['queued', 'offered']

function overdue(action: Action, at: Date): Partial<Action> | null {
  if (action.deadlineAt === null || at < action.deadlineAt) return null
  // What has passed under a cancel is the cancel's own deadline.
  const isRun = active.includes(action.phase) && !isOutstanding(action.cancel)
  const isWaiting = notTakenUp.includes(action.phase) && !isOutstanding(action.cancel)
  const isSkipped = action.whenOffline === 'skip' && isWaiting
  const reason: Reason = isRun ? 'run_limit' : isSkipped ? 'offline' : 'not_after_passed'
  return timedOut(action, reason)
}

function timedOut(action: Action, reason: Reason): Partial<Action> {
  const effect: Effect = { state: waiting.includes(action.phase) ? 'none' : 'unknown', residues: [] }
  const cancel = isOutstanding(action.cancel) ? unconfirmed(action.cancel) : action.cancel
  return { phase: 'timed_out', reason, effect, cancel }
}

/** A wiped device's copies are gone with it, but what they did is not known. */
function deviceGone(action: Action, reason: GoneReason): Partial<Action> {
  // A cancel stays undelivered: what still runs on the same host under another key is to be stopped all the same.
  if (!waiting.includes(action.phase)) return timedOut(action, reason)
  return { phase: 'cancelled', proof: 'never_offered', reason, effect: { state: 'none', residues: [] } }
}

function forced(action: Action, event: CallerEvent & { kind: 'forced' }): Partial<Action> {
  const cancel = action.cancel && {
    ...action.cancel,
    state: 'forced' as const,
    detail: `${event.by}: ${event.comment}`,
  }
  return {
    phase: 'cancelled',
    proof: 'attested',
    reason: 'user',
    effect: { state: 'unknown', residues: [] },
    cancel,
  }
}
