/** What a device says of an action that has already ended: kept as evidence, and never a different phase. */
import type { Action, ActionEvent, Cancel, Effect } from './action-shape.ts'

/** Adds what is new: that the cancel has arrived, and an outcome that does not fit the end or that nobody knew. */
export function late(action: Action, event: ActionEvent, at: Date): Action {
  const cancel = delivered(action.cancel, event)
  const word = lateWord(event)
  const isNews = word !== null && word !== action.lateOutcome && surprises(action, word)
  if (cancel === action.cancel && !isNews) return action
  const heard: Partial<Action> = isNews ? { lateOutcome: word, effect: lateEffect(event, action.effect) } : {}
  return { ...action, ...heard, cancel, updatedAt: at, version: action.version + 1 }
}

/** The device has shown that it knows of the cancel, or that it holds nothing that could be cancelled. */
function delivered(cancel: Cancel | null, event: ActionEvent): Cancel | null {
  if (cancel === null || !cancel.undelivered) return cancel
  switch (event.kind) {
    case 'cancel_acknowledged':
    case 'refused_start':
    case 'stopped':
    case 'reverted':
    case 'revert_failed':
    case 'finished':
    case 'not_received':
      return { ...cancel, undelivered: false }
    default:
      return cancel
  }
}

/** The outcome that a late word amounts to; null for words that say nothing of it. */
function lateWord(event: ActionEvent): string | null {
  switch (event.kind) {
    case 'finished':
      return event.outcome
    case 'started':
    case 'refused_start':
    case 'stopped':
    case 'reverted':
    case 'revert_failed':
      return event.kind
    default:
      return null
  }
}

/** Does it say what was not known, or the opposite of what was said? */
function surprises({ phase, proof, effect, lateOutcome }: Action, word: string): boolean {
  if (word === 'started') return lateOutcome === null && (effect.state === 'unknown' || neverRan(proof))
  if (effect.state === 'unknown' || lateOutcome === 'started') return true
  const asSaid = phase === 'cancelled' ? (proof === 'swept' ? 'stopped' : proof) : phase
  return word !== asSaid
}

const neverRan = (proof: Action['proof']): boolean =>
  proof === 'never_offered' || proof === 'not_received' || proof === 'refused_start'

function lateEffect(event: ActionEvent, effect: Effect): Effect {
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
    default:
      return effect
  }
}
