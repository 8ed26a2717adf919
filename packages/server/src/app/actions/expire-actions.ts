import type { App } from '../ports.ts'
import { supersede } from './supersede.ts'
import type { Work } from '../rows.ts'

const mostAtOnce = 500

/** Ends what has waited long enough, and lets go what has waited for its time. A timer calls it. */
export async function expireActions(app: App): Promise<void> {
  const due = await app.store.read('actionsToLookAt', { at: app.now(), most: mostAtOnce })
  await Promise.all(due.map(({ id }) => app.store.write('expireAction', id)))
}

export const expireAction: Work<string, void> = async (rooms, id, { at }) => {
  const { actions } = rooms
  const action = await actions.find(id)
  if (action === null) return
  const kind = action.phase === 'scheduled' ? 'released' : 'deadline_passed'
  const now = await actions.advance(action, { kind }, at)
  // Its turn comes now: it is the last that was said of how the device is to stand.
  if (action.phase === 'scheduled' && now.phase === 'queued') await supersede(rooms, now, at)
  await actions.lookedAt(now)
}
