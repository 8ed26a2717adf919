import type { Action } from '../../core/action-shape.ts'
import { Refusal } from '../../core/errors.ts'
import type { App } from '../ports.ts'
import type { Listed, ListQuery, StoredEvent } from '../rows.ts'

export const unknownAction = (id: string): Refusal =>
  new Refusal('ResourceNotFound', `Machine action ${id} was not found`)

/** @throws Refusal ResourceNotFound */
export async function findAction(app: App, id: string): Promise<Action> {
  const action = await app.store.read('action', id)
  if (action === null) throw unknownAction(id)
  return action
}

/** By the order that is asked for, then the newest first. */
export const listActions = (app: App, query: ListQuery): Promise<Listed<Action>> =>
  app.store.read('actions', query)

/** Every request to cancel an action, the refused ones too, oldest first; undefined where there is no cancel. */
export async function listCancelRequests(
  app: App,
  { id, cancel }: Action,
): Promise<readonly StoredEvent[] | undefined> {
  if (cancel === null) return undefined
  const events = await app.store.read('actionEvents', id)
  return events.filter(({ kind }) => kind === 'action.cancel_requested' || kind === 'action.cancel_denied')
}

/** What happened to an action, oldest first, with the device's statements. */
export const listActionEvents = (app: App, id: string): Promise<readonly StoredEvent[]> =>
  app.store.read('actionEvents', id)
