/** Obeys a reply: cancels first, then permissions, then offers, then how the host stands, then what may be forgotten. Each is journalled first. */
import type { Held, News, Reply } from '@countermand/contract'
import type { Host } from './host/host.ts'
import { isToBeUndone, isUndoable, type Journal, type Record } from './journal.ts'
import { killPoint } from './kill-points.ts'
import type { NewsLog } from './news.ts'
import type { OpenPostures } from './posture/open.ts'
import type { Runner } from './runner.ts'
import type { Answer } from './sync.ts'

export interface OrderParts {
  /** Ends that were told once more by this agent, because they were asked for. */
  readonly retold: Set<string>
  readonly journal: Journal
  readonly news: NewsLog
  readonly runner: Runner
  readonly host: Host
  readonly postures: Pick<OpenPostures, 'take' | 'answered' | 'newEpoch'>
}

/** When it resolves, everything that the reply ordered is on disk. `lastEpoch`: of the reply before. */
export async function obey(
  parts: OrderParts,
  { reply, sentAt }: Answer,
  lastEpoch: string | null,
): Promise<void> {
  if (lastEpoch !== null && lastEpoch !== reply.epoch) {
    for (const ended of await parts.journal.relist()) await parts.news.tell(ended)
    await parts.postures.newEpoch()
  }
  for (const id of reply.cancels) await cancel(parts, id, reply.graces?.[id] ?? 0)
  const isNew = await accept(parts, reply)
  parts.runner.permit([...reply.starts, ...reply.offers.map(({ id }) => id)], sentAt)
  for (const record of isNew) parts.runner.take(record)
  await parts.postures.answered({ sentAt })
  // Before the acknowledgement: who lists an id beside the answer's number had not counted it in yet.
  await parts.postures.take(reply.postures)
  await parts.news.acknowledge(reply.acknowledged)
  for (const id of reply.finals) await letGo(parts, id)
}

/**
 * A cancel and a start make the same file; one of them wins. A cancel of something never accepted needs nothing: that it is not
 * in the next list is its proof.
 */
async function cancel(
  { journal, news, runner, host, retold }: OrderParts,
  id: string,
  graceMs: number,
): Promise<void> {
  const record = await journal.find(id)
  if (record === null) {
    const ended = await journal.remembered(id)
    // It ran and was forgotten here; a server restored from a backup asks anew, and hears again how it ended.
    if (ended !== null) await news.tell(ended)
    return
  }
  if (record.outcome !== null && !isUndoable(record))
    return runner.holds(id) ? undefined : tellAgain({ news, retold }, record.outcome)
  if (record.cancelledAt !== null) return
  if (record.committed !== null) return cannotStop({ news, retold }, id)
  const at = host.now()
  try {
    const wasWithdrawn = await journal.decide(id, { verdict: 'withdrawn', at })
    if (wasWithdrawn) killPoint('cancel-withdrawn')
    if (!(await journal.takeCancel(id, { at, graceMs }))) return await cannotStop({ news, retold }, id)
    killPoint('cancel-journalled')
    if (wasWithdrawn) return await withdraw({ journal, runner }, id)
  } catch (thrown) {
    // Stopped although the disk cannot take it: nothing is said before it can, and the order is asked for again.
    runner.cancel(id)
    throw thrown
  }
  const told = news.tell({ kind: 'cancel_acknowledged', action: id })
  // Not after it is told: in the journal already, the cancel would not be taken a second time.
  runner.cancel(id)
  // Read again: it may have ended meanwhile, and an end is not replaced but by being undone.
  const now = await journal.find(id)
  if (now !== null && isToBeUndone(now) && !runner.holds(id)) runner.take(now)
  await told
}

/** A server that asks how it ended has not heard, or has forgotten. Once is enough: an answer that is no help would be asked for for ever. */
async function tellAgain(
  { news, retold }: Pick<OrderParts, 'news' | 'retold'>,
  outcome: News,
): Promise<void> {
  if (retold.has(outcome.action) || news.isPending(outcome.action, outcome.kind)) return
  retold.add(outcome.action)
  await news.tell(outcome)
}

/** An offboarding that has passed its commit point. Its end is told in a moment. */
async function cannotStop({ news, retold }: Pick<OrderParts, 'news' | 'retold'>, id: string): Promise<void> {
  const detail = 'the offboarding has passed its commit point: there is no way back on the device'
  const word = `${id} cannot_stop`
  if (retold.has(word)) return
  await news.tell({ kind: 'cannot_stop', action: id, detail })
  retold.add(word)
}

async function accept({ journal, news }: OrderParts, { offers }: Reply): Promise<readonly Record[]> {
  const taken: Record[] = []
  for (const offer of offers) {
    const ended = await journal.remembered(offer.id)
    // Never a second time, whatever a restored server believes.
    if (ended !== null) await news.tell(ended)
    else {
      if (await journal.accept(offer)) killPoint('offer-journalled')
      // Also one that was accepted before, by an order that then met a full disk. Who holds it already does not take it twice.
      const record = await journal.find(offer.id)
      if (record !== null) taken.push(record)
    }
  }
  return taken
}

/** Final at the server: forgotten here once it is over and all of it has been heard. */
async function letGo({ journal, news, runner, host }: OrderParts, id: string): Promise<void> {
  if (news.isPending(id)) return
  const record = await journal.find(id)
  if (record === null) return journal.settle(id)
  // Kept: by it the next agent sees that this device has left, should this one not come to it.
  if (record.committed !== null) return
  if (isToBeUndone(record)) return
  if (record.outcome !== null) return journal.drop(id)
  // The server has stopped waiting. The step that has begun goes on to its own end, and is told late; what has not is withdrawn, and
  // forgotten when that has been heard.
  if (await journal.decide(id, { verdict: 'withdrawn', at: host.now() }))
    return withdraw({ journal, runner }, id)
  runner.giveUp(id)
}

/** The journal says that it is not to be started: whoever holds it tells so, or somebody takes it up to tell. */
async function withdraw(
  { journal, runner }: Pick<OrderParts, 'journal' | 'runner'>,
  id: string,
): Promise<void> {
  runner.cancel(id)
  const record = await journal.find(id)
  if (record !== null) runner.take(record)
}

/** Every action that is held, and where each stands. */
export async function listHeld(journal: Journal): Promise<readonly Held[]> {
  const held = (await journal.all()).map(({ offer, outcome, verdict }) => ({
    id: offer.id,
    state:
      outcome !== null
        ? ('over' as const)
        : verdict?.verdict === 'start'
          ? ('started' as const)
          : ('accepted' as const),
  }))
  const over = (await journal.relisted()).map((id) => ({ id, state: 'over' as const }))
  return [...held, ...over]
}
