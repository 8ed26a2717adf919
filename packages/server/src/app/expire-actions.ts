import type { App } from './ports.ts'

const mostAtOnce = 100

/** Ends what has waited long enough. A timer calls it; returns how many it looked at, so that the caller goes on while there are more. */
export async function expireActions(app: App): Promise<number> {
  const now = app.now()
  const overdue = await app.store.read(({ actions }) => actions.overdue(now, mostAtOnce))
  for (const { id } of overdue) {
    await app.store.write(async ({ actions }) => {
      const action = await actions.find(id)
      if (action !== null) await actions.advance(action, { kind: 'deadline_passed' }, now)
    })
  }
  return overdue.length
}
