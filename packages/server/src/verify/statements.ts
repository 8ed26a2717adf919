/** Everything that a device has said and that was kept: signed by it, numbered without contradiction, its news without a gap. */
import { canonical, type ChainHead, type NewsItem, type Statement } from '@countermand/contract'
import type { Selectable } from 'kysely'
import type { StatementOrder } from '../core/device.ts'
import { digestOf } from '../store/events.ts'
import type { DeviceRow, StatementRow } from '../store/schema.ts'
import { checkClaim, type Digests } from './chain.ts'
import { Fault, faultOf, isObject, parsed } from './fault.ts'
import { leavesNoTrace } from './hearing.ts'
import type { History } from './history.ts'
import type { DeviceKey } from './keys.ts'
import type { Restores } from './restores.ts'
import { isSignedBy, readStatement, type Signed } from './statement.ts'

/** What was said by one key. */
export interface Incarnation {
  seq: number
  digest: string
  /** The last news, and the digests of all by number. */
  news: ChainHead
  readonly known: Map<number, string>
  /** When the last of it was taken. */
  at: number
}

export interface StatementParts {
  readonly digests: Digests
  readonly keys: readonly DeviceKey[]
  readonly history: History
  /** Thumbprint of the order key: whom a statement must be said to. Null where it is not known. */
  readonly orderKey: string | null
  readonly restores: Restores
}

export class Statements {
  readonly said = new Map<string, Incarnation>()
  /** Heads that devices knew before the server was put back. */
  readonly forgotten = new Set<string>()
  count = 0
  /** The first thing that does not fit in the order of what was said. */
  fault: Fault | null = null
  private readonly parts: StatementParts

  constructor(parts: StatementParts) {
    this.parts = parts
  }

  get news(): number {
    return [...this.said.values()].reduce((sum, { known }) => sum + known.size, 0)
  }

  /** The next by number. @throws Fault where it is not the device's, or does not fit the chain. */
  async add(row: StatementRow): Promise<void> {
    const { history, digests, orderKey, restores } = this.parts
    const signed = readStatement(row)
    const key = history.heard.get(row.digest) ?? this.signer(signed)
    const { server, serverHead, epoch } = signed.statement
    if (orderKey !== null && server !== orderKey) {
      throw new Fault(
        'forged statement',
        signed.where,
        `it was said to another server, whose key is ${server}`,
      )
    }
    if (serverHead !== null && restores.explainHead(epoch, row.at)) {
      this.forgotten.add(serverHead.digest)
    } else if (serverHead !== null && !history.contradicting.has(row.digest)) {
      checkClaim(digests, { head: serverHead, by: `${signed.where}, signed by the device` })
    }
    this.count += 1
    this.fault ??= await faultOf(() => this.follow(row, signed, key.thumbprint))
  }

  private signer(signed: Signed): DeviceKey {
    const key = this.parts.keys.findLast((each) => isSignedBy(signed, each))
    if (key !== undefined) return key
    throw new Fault('forged statement', signed.where, 'no key that this device ever had has signed it')
  }

  private follow(row: StatementRow, { where, statement }: Signed, thumbprint: string): void {
    if (this.parts.history.forked.has(row.digest)) return
    const by = this.said.get(thumbprint) ?? begin(thumbprint)
    this.said.set(thumbprint, by)
    const { seq, previous } = statement
    if (seq === by.seq)
      throw new Fault('forged statement', where, `the device has said another one with this number`)
    if (seq === by.seq + 1 && previous !== by.digest) {
      throw new Fault(
        'forged statement',
        where,
        `it follows another number ${by.seq} than the one that is kept`,
      )
    }
    const gap = acknowledged(by, statement, where)
    if (gap !== null && !this.parts.restores.explainGap(by.at, row.at)) throw gap
    by.seq = seq
    by.digest = row.digest
    by.at = row.at
    const isNamed = this.parts.history.heard.has(row.digest)
    for (const item of statement.news) hear(by, item, { where, isNamed })
  }

  /** The device's row says how far its statements and news were taken. @throws Fault */
  end(device: Selectable<DeviceRow>): void {
    const where = 'devices: its row'
    const order = parsed(device.statement_order, isOrder, where)
    const by = this.said.get(device.key_thumbprint ?? '')
    const isForgotten = this.parts.restores.explainGap(by?.at ?? 0, Infinity)
    if (order.news > (by?.news.sequence ?? 0)) {
      if (isForgotten) return
      const what = `its news were taken up to ${order.news}, and are kept up to ${by?.news.sequence ?? 0}`
      throw new Fault('missing row', 'statements', what)
    }
    if (by === undefined) return
    const isBehind = order.news < by.news.sequence || order.seq < by.seq
    const isOther =
      order.newsDigest !== by.news.digest || (order.seq === by.seq && order.digest !== by.digest)
    if (isBehind || isOther) {
      throw new Fault('changed row', where, 'how far its statements were taken is not what they say')
    }
  }
}

const isOrder = (value: unknown): value is StatementOrder =>
  isObject(value) && Number.isInteger(value.seq) && Number.isInteger(value.news)

const begin = (thumbprint: string): Incarnation => ({
  seq: 0,
  digest: thumbprint,
  news: { sequence: 0, digest: thumbprint },
  known: new Map(),
  at: 0,
})

/** By the head of its news a device shows what was acknowledged to it. Returns what is to be said where that is not kept. */
function acknowledged(by: Incarnation, { newsHead }: Statement, where: string): Fault | null {
  const { sequence, digest } = newsHead
  if (sequence > by.news.sequence) {
    const what = `news ${by.news.sequence + 1} to ${sequence} were acknowledged to the device, and are not kept; ${where} shows it`
    by.news = newsHead
    return new Fault('missing row', 'statements', what)
  }
  const known = sequence === by.news.sequence ? by.news.digest : by.known.get(sequence)
  if (known !== undefined && known !== digest) {
    throw new Fault(
      'forged statement',
      where,
      `its news follow another item ${sequence} than the one that is kept`,
    )
  }
  return null
}

function hear(
  by: Incarnation,
  item: NewsItem,
  { where, isNamed }: { where: string; isNamed: boolean },
): void {
  const digest = digestOf(canonical(item))
  const { n, previous, kind, action } = item
  const known = by.known.get(n)
  if (known !== undefined && known !== digest) {
    throw new Fault('forged statement', where, `it says news ${n} otherwise than an earlier statement did`)
  }
  if (n <= by.news.sequence) return
  if (n > by.news.sequence + 1) {
    throw new Fault(
      'missing row',
      'statements',
      `news ${by.news.sequence + 1} are not kept, and ${where} goes on with ${n}`,
    )
  }
  if (previous !== by.news.digest) {
    throw new Fault('forged statement', where, `its news ${n} follow another item than the one that is kept`)
  }
  if (!isNamed && !leavesNoTrace(item)) {
    throw new Fault(
      'missing row',
      'events',
      `${where} brought news ${n}, "${kind}" of action ${action}, and no event tells of it`,
    )
  }
  by.known.set(n, digest)
  by.news = { sequence: n, digest }
}
