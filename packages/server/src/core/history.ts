/** What is written down of a change: the names of the events, and what each carries. */
import type { Action, ActionEvent } from './action-shape.ts'
import { isForgotten, isOutstanding } from './action.ts'

export interface Recorded {
  readonly kind: string
  readonly actor: string | null
  readonly data: Readonly<Record<string, unknown>>
  /** Somebody should look at this. */
  readonly alarm: boolean
}

/** What a device tells of itself and not of an action's life, as it is written down. */
export const deviceNotes = { drifted: 'device.drift', released: 'device.released' } as const
export const isToldOfDevice = (kind: string): kind is keyof typeof deviceNotes =>
  Object.hasOwn(deviceNotes, kind)

/**
 * The events of one step. Usually one; a request that is granted at once is two. A word that changed nothing is kept
 * too: evidence is never thrown away.
 */
export function recordOf(before: Action, after: Action, event: ActionEvent): readonly Recorded[] {
  const { kind, ...data } = event
  const note = (name: string, more: object = {}, alarm = false): Recorded => ({
    kind: `action.${name}`,
    actor: 'by' in event ? event.by : null,
    data: { ...data, ...more },
    alarm,
  })
  if (after === before) return unchanged(before, event, note)
  if (before.finishedAt !== null) return [lateNote(before, after, event, note)]

  const ended = after.finishedAt !== null
  const proof = { proof: after.proof, reason: after.reason, effect: after.effect }
  if (!ended) return [note(kind)]
  if (after.phase === 'cancelled') {
    if (kind === 'forced') return [note('cancel_forced'), note('cancelled', proof)]
    return kind === 'cancel_requested'
      ? [note(kind), note('cancelled', proof)]
      : [note('cancelled', { ...proof, said: kind }, isForgotten(before, event))]
  }
  if (kind === 'revert_failed') return [note('revert_failed', proof, true)]
  const alarm = kind === 'journal_lost'
  const end = note(after.phase, { reason: after.reason, effect: after.effect }, alarm)
  const cancelEnd = isOutstanding(before.cancel) ? after.cancel?.state : undefined
  return cancelEnd === undefined ? [end] : [end, note(`cancel_${cancelEnd}`, {}, cancelEnd === 'unconfirmed')]
}

type Note = (name: string, more?: object, alarm?: boolean) => Recorded

function unchanged(action: Action, event: ActionEvent, note: Note): readonly Recorded[] {
  switch (event.kind) {
    // Every request is kept: a repeated one too, and one beside another.
    case 'cancel_requested':
      return [note('cancel_requested', { repeated: true })]
    // The server's own words that came to nothing say nothing.
    case 'released':
    case 'offered':
    case 'cancel_sent':
    case 'deadline_passed':
    case 'device_gone':
    case 'forced':
      return []
    // A device lists what it holds in every sync; only news is news.
    case 'accepted':
    case 'not_received':
    case 'journal_lost':
    case 'cancel_acknowledged':
      return []
    case 'started':
    case 'stepped':
    case 'ended':
    case 'finished':
    case 'refused_start':
    case 'stopped':
    case 'reverted':
    case 'revert_failed':
    case 'cannot_stop':
    case 'unkillable':
      return [note('old_news', { said: event.kind, phase: action.phase })]
  }
}

/** A late word; an alarm where it contradicts what we had said. */
function lateNote(before: Action, after: Action, event: ActionEvent, note: Note): Recorded {
  const said = { said: event.kind, phase: after.phase, lateOutcome: after.lateOutcome, effect: after.effect }
  // Against what was said, or after a request that nobody had confirmed: a script that ran cannot be taken back.
  const isAgainst = before.phase === 'cancelled' || before.cancel !== null
  const contradicts = after.lateOutcome !== before.lateOutcome && isAgainst && after.effect.state !== 'none'
  return after.lateOutcome === before.lateOutcome
    ? note('cancel_acknowledged', said)
    : note('late_result', said, contradicts)
}
