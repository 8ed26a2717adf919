import type { Action } from '../core/action-shape.ts'
import { Refusal } from '../core/errors.ts'
import type { App, Page, StoredEvent } from './ports.ts'

export const unknownAction = (id: string): Refusal =>
  new Refusal('ResourceNotFound', `Machine action ${id} was not found`)

/** @throws Refusal ResourceNotFound */
export async function findAction(app: App, id: string): Promise<Action> {
  const action = await app.store.read('action', id)
  if (action === null) throw unknownAction(id)
  return action
}

/** Newest first. */
export const listActions = (app: App, page: Page): Promise<readonly Action[]> =>
  app.store.read('actions', page)

/** What happened to an action, oldest first, with the device's statements. */
export const listActionEvents = (app: App, id: string): Promise<readonly StoredEvent[]> =>
  app.store.read('actionEvents', id)
