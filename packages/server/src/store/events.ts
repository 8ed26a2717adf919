/** The one table of what happened. Rows are chained, per device, and never changed. */
import { hash } from 'node:crypto'
import type { ChainHead } from '@countermand/contract'
import type { Kysely, QueryResult, Selectable } from 'kysely'
import type { Cause, EventNote, EventRows, StoredEvent, TailedEvent } from '../app/rows.ts'
import { dataText, genesis, linkText, type Link } from '../core/chain.ts'
import { saysInsertId } from './dialect.ts'
import { hot } from './hot.ts'
import { hasNul } from './nul.ts'
import type { ChainRow, EventRow, Tables } from './schema.ts'
import { StaleWrite } from './stale-write.ts'
import type { Touched } from './touched.ts'

export const digestOf = (text: string): string => hash('sha256', text, 'base64url')

export const openEvents = (db: Kysely<Tables>, touched: Touched): EventRows => ({
  append: async (chain, note, at, cause) => {
    await appendEvents({ db, touched }, { chain, notes: [note], at, cause, action: null })
  },
  keep: (machineId, cause, at) => keepStatement(db, machineId, cause, at),
  ofAction: (actionId) => historyOf(db, actionId),
  after: async (place, most) => {
    const rows = db.selectFrom('events').selectAll().where('n', '>', place).orderBy('n').limit(most)
    return (await rows.execute()).map(toTailed)
  },
  last: async () => {
    const row = await db.selectFrom('events').select('n').orderBy('n', 'desc').limit(1).executeTakeFirst()
    return row?.n ?? 0
  },
})

export interface Entry {
  readonly chain: string
  /** What happened, in order. */
  readonly notes: readonly EventNote[]
  readonly at: Date
  readonly cause: Cause | undefined
  /** The action that it belongs to, and the row number of that action's event before. */
  readonly action: { readonly id: string; readonly before: number | null } | null
}

/** Appends to a chain and returns the row number of the last event. */
export async function appendEvents(
  { db, touched }: { db: Kysely<Tables>; touched: Touched },
  { chain, notes, at, cause, action }: Entry,
): Promise<number | null> {
  if (cause !== undefined) await keepStatement(db, chain, cause, at)
  const from = touched.heads.get(chain) ?? (await headOf(db, chain))
  let head = from
  let last = action?.before ?? null
  for (const note of notes) {
    const link = {
      chain,
      sequence: head.sequence + 1,
      previous: head.digest,
      kind: note.kind,
      actionId: action?.id ?? null,
      actor: note.actor,
      alarm: note.alarm,
      at: at.getTime(),
      data: dataText(note.data),
      statement: cause?.digest ?? null,
    }
    head = { sequence: link.sequence, digest: digestOf(linkText(link)) }
    last = numberOf(await insertEvent(db, rowOf(link, head.digest, last)))
    if (note.alarm) touched.alarms.push({ chain, kind: note.kind, actionId: link.actionId, data: note.data })
  }
  await moveHead(db, chain, from, head)
  touched.heads.set(chain, head)
  // What the device said itself it need not be woken for.
  if (cause === undefined) touched.wake.add(chain)
  return last
}

const rowOf = (link: Link, digest: string, before: number | null): Omit<Selectable<EventRow>, 'n'> => ({
  chain: link.chain,
  sequence: link.sequence,
  previous: link.previous,
  digest,
  kind: link.kind,
  action_id: link.actionId,
  actor: link.actor,
  alarm: link.alarm ? 1 : 0,
  at: link.at,
  data: link.data,
  statement: link.statement,
  before,
})

const insertEvent = hot((db, row: Omit<Selectable<EventRow>, 'n'>) => {
  const { chain, sequence, previous, digest, kind, actor, alarm, at, data, statement, before } = row
  const about = { kind, actor, alarm, at, data, statement, before, action_id: row.action_id }
  const insert = db.insertInto('events').values({ chain, sequence, previous, digest, ...about })
  // SQLite says the number of a new row by itself; to return it as a row costs a fifth of the insert.
  return saysInsertId(db) ? insert : insert.returning('n')
})

function numberOf({ rows: [row], insertId }: QueryResult<object>): number | null {
  if (row !== undefined && 'n' in row && typeof row.n === 'number') return row.n
  return insertId === undefined ? null : Number(insertId)
}

/** The head of a chain; of one that has not begun, nothing and the digest before the first. */
export async function headOf(db: Kysely<Tables>, chain: string): Promise<ChainHead> {
  const { rows } = await selectHead(db, { chain })
  return rows[0] ?? { sequence: 0, digest: genesis }
}

const selectHead = hot((db, { chain }: { chain: string }) =>
  db.selectFrom('chains').select(['sequence', 'digest']).where('chain', '=', chain),
)

async function moveHead(db: Kysely<Tables>, chain: string, from: ChainHead, to: ChainHead): Promise<void> {
  const { sequence, digest } = to
  const moved =
    from.sequence === 0
      ? await insertHead(db, { chain, sequence, digest })
      : await updateHead(db, { chain, sequence, digest, before: from.sequence })
  if (moved.numAffectedRows === 0n) throw new StaleWrite()
}

const insertHead = hot((db, { chain, sequence, digest }: ChainRow) =>
  db
    .insertInto('chains')
    .values({ chain, sequence, digest })
    .onConflict((conflict) => conflict.doNothing()),
)

const updateHead = hot((db, { chain, sequence, digest, before }: ChainRow & { before: number }) =>
  db
    .updateTable('chains')
    .set({ sequence, digest })
    .where('chain', '=', chain)
    .where('sequence', '=', before),
)

async function keepStatement(db: Kysely<Tables>, machineId: string, cause: Cause, at: Date): Promise<void> {
  await db
    .insertInto('statements')
    .values({ digest: cause.digest, machine_id: machineId, seq: cause.seq, at: at.getTime(), jws: cause.jws })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** Walks an action's history back from its last event, and returns it in order. */
async function historyOf(db: Kysely<Tables>, actionId: string): Promise<readonly StoredEvent[]> {
  if (hasNul(actionId)) return []
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

const toTailed = (row: Selectable<EventRow>): TailedEvent => ({
  n: row.n,
  chain: row.chain,
  sequence: row.sequence,
  kind: row.kind,
  at: new Date(row.at),
  actionId: row.action_id,
  actor: row.actor,
  alarm: row.alarm === 1,
  data: JSON.parse(row.data),
  digest: row.digest,
})
