/** A queue before a thread: whatever waits while a batch is under way is the next batch. */
import { unwrap } from '../result.ts'
import type { Done } from './batch.ts'
import type { Item } from '../rooms.ts'

/** More at once would make the first of them wait for the last. */
const mostAtOnce = 500

interface Waiting {
  readonly item: Item
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
}

type Ended = { readonly done: Done } | { readonly failed: unknown }

interface Batch {
  readonly batch: readonly Waiting[]
  readonly ended: Promise<Ended>
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
    for (let now = begin(); now !== null;) {
      const ended = await now.ended
      // The thread goes on before the callers of this batch are told: that takes a while.
      const next = begin()
      tell(now.batch, ended, committed)
      now = next
    }
    isPumping = false
  }
  const begin = (): Batch | null => {
    if (waiting.length === 0) return null
    const batch = waiting.slice(0, mostAtOnce)
    waiting = waiting.slice(mostAtOnce)
    const sent = send(batch.map(({ item }) => item))
    return {
      batch,
      ended: sent.then(
        (done) => ({ done }),
        (failed: unknown) => ({ failed }),
      ),
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

function tell(batch: readonly Waiting[], ended: Ended, committed: (done: Done) => void): void {
  try {
    if ('failed' in ended) throw ended.failed
    committed(ended.done)
    for (const [at, result] of ended.done.results.entries()) {
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
