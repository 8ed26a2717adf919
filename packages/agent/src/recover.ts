/** After a start: says again what may not have been heard, and takes up what was held. Open cancels come first. */
import { isToBeUndone, type Journal } from './journal.ts'
import type { NewsLog } from './news.ts'
import type { Runner } from './runner.ts'

/** Whatever an earlier agent may have written down and not said is said again: told twice does no harm, untold would. */
export async function recover({
  journal,
  news,
  runner,
}: {
  journal: Journal
  news: NewsLog
  runner: Runner
}): Promise<void> {
  const records = await journal.all()
  const cancelledFirst = records.toSorted(
    (a, b) => Number(b.cancelledAt !== null) - Number(a.cancelledAt !== null),
  )
  for (const record of cancelledFirst) {
    const { offer, outcome, verdict, cancelledAt } = record
    if (outcome !== null && !isToBeUndone(record)) {
      // What the disk does not take now is left to the runner, which waits for it.
      if (!news.isPending(offer.id, outcome.kind)) await news.tell(outcome).catch(() => runner.take(record))
      continue
    }
    if (cancelledAt !== null && verdict?.verdict === 'start')
      await news.tell({ kind: 'cancel_acknowledged', action: offer.id }).catch(() => undefined)
    runner.take(record)
  }
}
