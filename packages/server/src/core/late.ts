/** What a device says of an action that has already ended: kept as evidence, and never a different phase. */
import { isRunType } from '@countermand/contract'
import type { Action, ActionEvent, Cancel, Effect } from './action-shape.ts'

/** Adds what is new: that the cancel has arrived, and an outcome that does not fit the end or that nobody knew. */
export function late(action: Action, event: ActionEvent, at: Date): Action {
  const cancel = delivered(action, event)
  const heard = isTelling(event) && isNews(action, wordOf(event)) ? event : null
  if (cancel === action.cancel && heard === null) return action
  const told = heard === null ? {} : { lateOutcome: wordOf(heard), effect: effectOf(heard) }
  return { ...action, ...told, cancel, updatedAt: at, version: action.version + 1 }
}

/** The device has shown that it knows of the cancel, or that it holds nothing that could be cancelled. */
function delivered({ type, cancel }: Action, event: ActionEvent): Cancel | null {
  if (cancel === null || !cancel.undelivered) return cancel
  // Of what stands nothing counts but that it stands no more.
  if (!isRunType(type) && event.kind !== 'reverted') return cancel
  switch (event.kind) {
    case 'cancel_acknowledged':
    case 'refused_start':
    case 'stopped':
    case 'reverted':
    case 'revert_failed':
    case 'finished':
    case 'not_received':
      return { ...cancel, undelivered: false }
    case 'accepted':
    case 'started':
    case 'stepped':
    case 'ended':
    case 'cannot_stop':
    case 'unkillable':
    case 'journal_lost':
    case 'released':
    case 'offered':
    case 'cancel_sent':
    case 'deadline_passed':
    case 'device_gone':
    case 'cancel_requested':
    case 'forced':
      return cancel
  }
}

/** Words that tell how it went; all others say nothing of it. */
type Telling = Extract<
  ActionEvent,
  { kind: 'finished' | 'started' | 'refused_start' | 'stopped' | 'reverted' | 'revert_failed' }
>
const telling: readonly string[] = [
  'finished',
  'started',
  'refused_start',
  'stopped',
  'reverted',
  'revert_failed',
] satisfies readonly Telling['kind'][]
const isTelling = (event: ActionEvent): event is Telling => telling.includes(event.kind)

const wordOf = (event: Telling): string => (event.kind === 'finished' ? event.outcome : event.kind)

/** Does it say what was not known, or the opposite of what was said? */
function isNews({ phase, proof, effect, lateOutcome }: Action, word: string): boolean {
  if (word === lateOutcome) return false
  if (word === 'started') return lateOutcome === null && (effect.state === 'unknown' || neverRan(proof))
  if (effect.state === 'unknown' || lateOutcome === 'started') return true
  const asSaid = phase === 'cancelled' ? (proof === 'swept' ? 'stopped' : proof) : phase
  return word !== asSaid
}

const neverRan = (proof: Action['proof']): boolean =>
  proof === 'never_offered' || proof === 'not_received' || proof === 'refused_start'

function effectOf(event: Telling): Effect {
  switch (event.kind) {
    case 'finished':
    case 'started':
      return { state: 'applied', residues: [] }
    case 'stopped':
      return { state: event.residues.length > 0 ? 'partial' : 'none', residues: event.residues }
    case 'revert_failed':
      return { state: 'partial', residues: event.residues }
    case 'refused_start':
      return { state: 'none', residues: [] }
    case 'reverted':
      return { state: 'reverted', residues: [] }
  }
}
