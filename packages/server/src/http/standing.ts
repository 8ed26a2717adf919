/** What an application may at the moment: asked of the database, and once for all that wait together. */
import type { App } from '../app/ports.ts'
import type { Standing } from '../app/rows.ts'
import { serverChain } from '../core/chain.ts'

/** By client id; null for one that there is not. */
export type StandingOf = (clientId: string) => Promise<Standing | null>

/**
 * A look that begins after a request has come is new enough for it, and one that began before is not: another server on the same
 * database may have disabled the application in between. So each request waits for the next look. There is one under way at a
 * time, and it is for everybody who waits.
 *
 * Where nobody else writes to the database, what was seen holds until a change of applications, which are all in the server's own
 * history: whoever made it hears of it after what was seen is forgotten.
 */
export function openStanding({ store, bus }: Pick<App, 'store' | 'bus'>): StandingOf {
  const look = openLooks(store)
  if (store.isShared) return look
  let seen = new Map<string, Standing>()
  bus.onWake(serverChain, () => {
    seen = new Map()
  })
  return async (clientId) => {
    const known = seen.get(clientId)
    if (known !== undefined) return known
    // A look that was overtaken by a change is forgotten with what was seen before it.
    const here = seen
    const found = await look(clientId)
    if (found !== null) here.set(clientId, found)
    return found
  }
}

function openLooks(store: App['store']): StandingOf {
  let waiting: { ids: Set<string>; look: Promise<ReadonlyMap<string, Standing>> } | null = null
  let before: Promise<unknown> = Promise.resolve()
  return async (clientId) => {
    const id = clientId.toLowerCase()
    if (waiting === null) {
      const ids = new Set<string>()
      const look = before.then(() => {
        waiting = null
        return store.read('standingOf', [...ids])
      })
      waiting = { ids, look }
      before = look.catch(() => undefined)
    }
    waiting.ids.add(id)
    return (await waiting.look).get(id) ?? null
  }
}
