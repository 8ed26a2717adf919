/** Whether the events of one chain are those that were written: nothing changed, left out, put in or cut off. */
import { canonical, type ChainHead } from '@countermand/contract'
import type { Selectable } from 'kysely'
import { dataText, genesis, linkText } from '../core/chain.ts'
import { digestOf } from '../store/events.ts'
import type { ChainRow, EventRow } from '../store/schema.ts'
import { Fault, isObject, parsed } from './fault.ts'

export type Event = Selectable<EventRow>
export type Data = Readonly<Record<string, unknown>>

/** The digests of a chain by sequence; the one before the first stands at 0. */
export type Digests = string[]
export const startOfChain = (): Digests => [genesis]

export const placeOf = ({ n, sequence, kind, action_id: id }: Event): string =>
  `events: sequence ${sequence}, row ${n} (${kind}${id === null ? '' : ` of action ${id}`})`

/** The next event by sequence: adds its digest and returns its data. @throws Fault */
export function checkLink(digests: Digests, row: Event): Data {
  const where = placeOf(row)
  const next = digests.length
  if (row.sequence > next)
    throw new Fault('missing row', where, `event ${next} is missing: ${row.sequence} follows ${next - 1}`)
  if (row.sequence < next) throw new Fault('added row', where, `a second event ${row.sequence} of this chain`)
  const data = parsed(row.data, isObject, where)
  const { chain, sequence, previous, kind, action_id: actionId, actor, at, statement } = row
  const text = dataText(data)
  // A text that only reads the same, or an alarm that is neither 0 nor 1, would slip through the digest. Earlier versions kept names
  // in the order in which they were said.
  const isAsWritten = [text, JSON.stringify(data)].includes(row.data) && [0, 1].includes(row.alarm)
  const link = {
    chain,
    sequence,
    previous,
    kind,
    actionId,
    actor,
    alarm: row.alarm === 1,
    at,
    data: text,
    statement,
  }
  if (!isAsWritten || digestOf(linkText(link)) !== row.digest) {
    throw new Fault('changed row', where, 'its digest is not that of what stands in it')
  }
  if (previous !== digests.at(-1)) {
    const what = `it was written after another event ${next - 1} than the one that stands before it now`
    throw new Fault('rewritten history', where, what)
  }
  digests.push(row.digest)
  return data
}

/** The table of heads must name the last event. @throws Fault */
export function checkHead(digests: Digests, head: Selectable<ChainRow> | null): void {
  const last = digests.length - 1
  if (head === null && last === 0) return
  const where = 'chains: the head of this chain'
  if (head === null) throw new Fault('missing row', where, `there are ${last} events, and no head`)
  if (head.sequence > last) {
    throw new Fault('truncated tail', where, `it stands at event ${head.sequence}, and the last is ${last}`)
  }
  if (head.sequence < last) {
    throw new Fault('added row', where, `it stands at event ${head.sequence}, and there are ${last}`)
  }
  if (head.digest !== digests[last]) {
    throw new Fault(
      'rewritten history',
      where,
      `it stands at another event ${last} than the one that is there`,
    )
  }
}

/** A head of the chain that somebody else remembers. */
export interface Claim {
  readonly head: ChainHead
  /** Who remembers it, and where that stands. */
  readonly by: string
}

/** A head that was given out must still be in the chain: it vouches for everything before it. @throws Fault */
export function checkClaim(digests: Digests, { head, by }: Claim): void {
  const { sequence, digest } = head
  if (sequence >= digests.length) {
    const what = `it knows this chain up to event ${sequence}, and the last that is kept is ${digests.length - 1}`
    throw new Fault('truncated tail', by, what)
  }
  if (digests[sequence] !== digest) {
    throw new Fault('rewritten history', by, `it knows another event ${sequence} than the one that is kept`)
  }
}

export const isSame = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b)
