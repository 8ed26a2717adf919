import type { Action } from '../../core/action-shape.ts'
import { Refusal } from '../../core/errors.ts'
import type { App } from '../ports.ts'
import type { Once, Rooms, Work } from '../rows.ts'

/** A key is remembered for a day: longer than any client goes on repeating a request whose answer was lost. */
const memoryMs = 24 * 60 * 60_000

/** What makes a request the same one again: who asks, under which key, and all of what is asked. Null without a key. */
export const onceOf = (app: App, caller: string, key: string | null, request: object): Once | null =>
  key === null ? null : { caller, key, requestDigest: app.digest(JSON.stringify(request)) }

/**
 * The action that this very request has led to before; null where it comes for the first time.
 * @throws Refusal InvalidInput where the key was used for another request
 */
export async function sameAsBefore(
  { idempotency, actions }: Rooms,
  once: Once | null,
): Promise<Action | null> {
  const known = once === null ? null : await idempotency.find(once.caller, once.key)
  if (known === null) return null
  if (known.requestDigest !== once?.requestDigest) {
    throw new Refusal(
      'InvalidInput',
      'The Idempotency-Key was used for another request; take a new one for each.',
    )
  }
  return actions.find(known.actionId)
}

/** Forgets keys that are too old to be repeated. A timer calls it. */
export const sweepKeys = (app: App): Promise<void> => app.store.write('forgetKeys', null)

export const forgetKeys: Work<null, void> = ({ idempotency }, _, { at }) =>
  idempotency.forget(new Date(at.getTime() - memoryMs))
