import type { App, Work } from './ports.ts'

const mostAtOnce = 100

/** Ends what has waited long enough. A timer calls it. */
export async function expireActions(app: App): Promise<void> {
  const overdue = await app.store.read('overdueActions', { at: app.now(), most: mostAtOnce })
  await Promise.all(overdue.map(({ id }) => app.store.write('expireAction', id)))
}

export const expireAction: Work<string, void> = async ({ actions }, id, { at }) => {
  const action = await actions.find(id)
  if (action !== null) await actions.advance(action, { kind: 'deadline_passed' }, at)
}
