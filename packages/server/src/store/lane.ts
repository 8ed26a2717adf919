/** A queue before a thread: whatever waits while a batch is under way is the next batch. */
import { unwrap } from './result.ts'
import type { Done } from './batch.ts'
import type { Item } from './rooms.ts'

/** More at once would make the first of them wait for the last. */
const mostAtOnce = 500

interface Waiting {
  readonly item: Item
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
}

export interface Lane {
  add(item: Item): Promise<unknown>
  /** Resolves when nothing is waiting or under way. */
  idle(): Promise<void>
}

/** `send` does one batch; `committed` hears of each before its callers do. */
export function openLane(
  send: (items: readonly Item[]) => Promise<Done>,
  committed: (done: Done) => void,
): Lane {
  let waiting: Waiting[] = []
  let pumping: Promise<void> = Promise.resolve()
  let isPumping = false

  const pump = async (): Promise<void> => {
    // A turn of the loop for whoever arrives in the same one.
    await new Promise(setImmediate)
    while (waiting.length > 0) {
      const batch = waiting.slice(0, mostAtOnce)
      waiting = waiting.slice(mostAtOnce)
      await settle(batch)
    }
    isPumping = false
  }
  const settle = async (batch: readonly Waiting[]): Promise<void> => {
    try {
      const done = await send(batch.map(({ item }) => item))
      committed(done)
      for (const [at, result] of done.results.entries()) {
        try {
          batch[at]?.resolve(unwrap(result))
        } catch (thrown) {
          batch[at]?.reject(thrown)
        }
      }
    } catch (thrown) {
      for (const { reject } of batch) reject(thrown)
    }
  }
  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject })
        if (isPumping) return
        isPumping = true
        pumping = pump()
      }),
    idle: () => pumping,
  }
}
