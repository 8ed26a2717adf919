/** The one table of what happened. Rows are chained, per device, and never changed. */
import { createHash } from 'node:crypto'
import type { ChainHead } from '@countermand/contract'
import type { Kysely, Selectable } from 'kysely'
import type { Cause, EventNote, EventRows, StoredEvent } from '../app/ports.ts'
import { genesis, linkText } from '../core/chain.ts'
import type { EventRow, Tables } from './schema.ts'
import { StaleWrite } from './stale-write.ts'
import type { Touched } from './touched.ts'

export const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64url')

export const openEvents = (db: Kysely<Tables>, touched: Touched): EventRows => ({
  append: async (chain, note, at, cause) => {
    await appendEvent({ db, touched }, { chain, note, at, cause, action: null })
  },
  keep: (machineId, cause, at) => keepStatement(db, machineId, cause, at),
  ofAction: (actionId) => historyOf(db, actionId),
})

export interface Entry {
  readonly chain: string
  readonly note: EventNote
  readonly at: Date
  readonly cause: Cause | undefined
  /** The action that it belongs to, and the row number of that action's event before. */
  readonly action: { readonly id: string; readonly before: number | null } | null
}

/** Appends to a chain and returns the event's row number. */
export async function appendEvent(
  to: { db: Kysely<Tables>; touched: Touched },
  entry: Entry,
): Promise<number> {
  const { db, touched } = to
  const { chain, note, at, cause, action } = entry
  if (cause !== undefined) await keepStatement(db, chain, cause, at)
  const head = await headOf(db, chain)
  const link = {
    chain,
    sequence: head.sequence + 1,
    previous: head.digest,
    kind: note.kind,
    actionId: action?.id ?? null,
    actor: note.actor,
    alarm: note.alarm,
    at: at.getTime(),
    data: note.data,
    statement: cause?.digest ?? null,
  }
  const digest = digestOf(linkText(link))
  const { actionId, alarm, data, ...same } = link
  const row = {
    ...same,
    digest,
    action_id: actionId,
    alarm: alarm ? 1 : 0,
    data: JSON.stringify(data),
    before: action?.before ?? null,
  }
  const { n } = await db.insertInto('events').values(row).returning('n').executeTakeFirstOrThrow()
  await moveHead(db, chain, head, { sequence: link.sequence, digest })
  // What the device said itself it need not be woken for.
  if (cause === undefined) touched.wake.add(chain)
  return n
}

/** The head of a chain; of one that has not begun, nothing and the digest before the first. */
export async function headOf(db: Kysely<Tables>, chain: string): Promise<ChainHead> {
  const head = await db
    .selectFrom('chains')
    .select(['sequence', 'digest'])
    .where('chain', '=', chain)
    .executeTakeFirst()
  return head ?? { sequence: 0, digest: genesis }
}

async function moveHead(db: Kysely<Tables>, chain: string, from: ChainHead, to: ChainHead): Promise<void> {
  if (from.sequence === 0) {
    const added = await db
      .insertInto('chains')
      .values({ chain, ...to })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst()
    if (added.numInsertedOrUpdatedRows === 0n) throw new StaleWrite()
    return
  }
  const moved = await db
    .updateTable('chains')
    .set({ ...to })
    .where('chain', '=', chain)
    .where('sequence', '=', from.sequence)
    .executeTakeFirst()
  if (moved.numUpdatedRows === 0n) throw new StaleWrite()
}

async function keepStatement(db: Kysely<Tables>, machineId: string, cause: Cause, at: Date): Promise<void> {
  await db
    .insertInto('statements')
    .values({ digest: cause.digest, machine_id: machineId, seq: cause.seq, at: at.getTime(), jws: cause.jws })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** Walks an action's history back from its last event, and returns it in order. */
async function historyOf(db: Kysely<Tables>, actionId: string): Promise<readonly StoredEvent[]> {
  const action = await db
    .selectFrom('actions')
    .select('last_event')
    .where('id', '=', actionId)
    .executeTakeFirst()
  const found: StoredEvent[] = []
  let n = action?.last_event ?? null
  while (n !== null) {
    const row = await db
      .selectFrom('events')
      .leftJoin('statements', 'statements.digest', 'events.statement')
      .selectAll('events')
      .select('statements.jws')
      .where('events.n', '=', n)
      .executeTakeFirstOrThrow()
    found.push(toEvent(row))
    n = row.before
  }
  return found.toReversed()
}

const toEvent = (row: Selectable<EventRow> & { jws: string | null }): StoredEvent => ({
  sequence: row.sequence,
  kind: row.kind,
  at: new Date(row.at),
  actor: row.actor,
  data: JSON.parse(row.data),
  previous: row.previous,
  digest: row.digest,
  statement: row.jws,
})
