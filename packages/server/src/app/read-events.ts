import type { App } from './ports.ts'
import type { TailedEvent } from './rows.ts'

/** Read at a time. */
export const mostAtOnce = 500

/**
 * A number that is missing may be that of a transaction under way, on another node. It is waited for this long; what is not there by
 * then was taken back.
 */
const gapMs = 5_000

/**
 * What was committed after a place in the order of arrival, up to `mostAtOnce`; nothing beyond a number that may yet come. So who goes
 * on from the last that was told misses none.
 */
export async function eventsAfter(app: App, place: number): Promise<readonly TailedEvent[]> {
  const read = await app.store.read('eventsAfter', { place, most: mostAtOnce })
  const settled = app.now().getTime() - gapMs
  const whole = read.findIndex(
    ({ n, at }, index) => n !== (read[index - 1]?.n ?? place) + 1 && at.getTime() > settled,
  )
  // Before the first that is told there may be a gap as well; at the beginning there is none to wait for.
  return whole === -1 ? read : read.slice(0, whole)
}

/** The place behind all that is there now. */
export const lastPlace = (app: App): Promise<number> => app.store.read('lastEvent', null)
