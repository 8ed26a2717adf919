import type { Action } from '../../core/action-shape.ts'
import { isOpen } from '../../core/action.ts'
import { resultShelf } from './result-files.ts'
import type { App } from '../ports.ts'

/**
 * Removes what an action that has ended leaves behind: uploads that are not complete, and results that nothing refers to. Of an
 * action that is open or unknown nothing but the uploads of an unknown one.
 */
export async function tidyAction(app: App, actionId: string): Promise<void> {
  const action = await app.store.read('action', actionId)
  if (action === null) return app.uploads.clear(actionId)
  if (isOpen(action)) return
  for (const { index } of action.commands) {
    await app.uploads.alone({ actionId, index }, async () => {
      await app.uploads.discard({ actionId, index })
      await removeUnreferred(app, action, index)
    })
  }
  await app.uploads.clear(actionId)
}

async function removeUnreferred(app: App, action: Action, index: number): Promise<void> {
  const referred = action.commands.find((command) => command.index === index)?.result?.sha256
  const shelf = resultShelf(action.id, index)
  for (const { name } of await app.files.list(shelf))
    if (name !== referred) await app.files.remove(shelf, name)
}

/** Tidies after the actions that have ended since it was last called. A timer calls it. */
export async function tidyEnded(app: App, ended: Set<string>): Promise<void> {
  const ids = [...ended]
  ended.clear()
  await Promise.all(ids.map((id) => tidyAction(app, id)))
}
