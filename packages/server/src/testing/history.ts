/** What is on disk, read past the server: its word about its own history would prove nothing. */
import { createHash } from 'node:crypto'
import type { Row, Rows, Value } from './rows.ts'

export interface KeptEvent {
  readonly n: number
  readonly chain: string
  readonly sequence: number
  readonly previous: string
  readonly digest: string
  readonly kind: string
  readonly actionId: string | null
  readonly actor: string | null
  readonly alarm: boolean
  readonly at: number
  readonly data: Readonly<Record<string, unknown>>
  /** Digest of the statement that caused it. */
  readonly statement: string | null
}

export interface KeptStatement {
  readonly digest: string
  readonly machineId: string
  readonly seq: number
  readonly jws: string
}

export interface History {
  /** Events of all chains after row `n`, oldest first. */
  events(n?: number): readonly KeptEvent[]
  ofAction(id: string): readonly KeptEvent[]
  /** Row number of the newest event; 0 before the first. */
  last(): number
  statements(machineId: string): readonly KeptStatement[]
  /** What does not hold of a chain, in words; empty for a whole one. */
  faultsOf(chain: string): readonly string[]
  /** Changes the database behind the server's back, as its owner could. */
  tamper(sql: string): void
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url')

/** Written anew after the protocol's words: keys in the order of the code point, no blanks. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const inner = Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, held]) => `${JSON.stringify(key)}:${canonicalJson(held)}`)
  return `{${inner.join(',')}}`
}

const textOf = (value: Row[string] | undefined): string | null => (typeof value === 'string' ? value : null)

function toEvent(row: Row): KeptEvent {
  const data: KeptEvent['data'] = JSON.parse(String(row.data))
  return {
    n: Number(row.n),
    chain: String(row.chain),
    sequence: Number(row.sequence),
    previous: String(row.previous),
    digest: String(row.digest),
    kind: String(row.kind),
    actionId: textOf(row.action_id),
    actor: textOf(row.actor),
    alarm: row.alarm === 1,
    at: Number(row.at),
    data,
    statement: textOf(row.statement),
  }
}

const toStatement = (row: Row): KeptStatement => ({
  digest: String(row.digest),
  machineId: String(row.machine_id),
  seq: Number(row.seq),
  jws: String(row.jws),
})

export function openHistory({ all, exec }: Rows): History {
  const events = (where: string, value: Value): readonly KeptEvent[] =>
    all(`select * from events where ${where} order by n`, value).map(toEvent)
  return {
    events: (n = 0) => events('n > ?', n),
    ofAction: (id) => events('action_id = ?', id),
    last: () => Number(all('select coalesce(max(n), 0) as n from events')[0]?.n),
    statements: (machineId) =>
      all('select * from statements where machine_id = ? order by seq', machineId).map(toStatement),
    faultsOf: (chain) => {
      const head = all('select sequence, digest from chains where chain = ?', chain)[0]
      return faults(events('chain = ?', chain), { ...head })
    },
    tamper: exec,
  }
}

/** The first link follows 43 times `A`; each carries the digest of the one before; the head is the last one's. */
function faults(links: readonly KeptEvent[], head: unknown): readonly string[] {
  const found: string[] = []
  let before = { sequence: 0, digest: 'A'.repeat(43) }
  for (const { n: _n, digest, ...link } of links) {
    if (link.sequence !== before.sequence + 1) found.push(`${link.sequence} follows ${before.sequence}`)
    if (link.previous !== before.digest) found.push(`${link.sequence} does not carry the one before`)
    if (sha256(canonicalJson(link)) !== digest) found.push(`${link.sequence} is not what was hashed`)
    before = { sequence: link.sequence, digest }
  }
  if (canonicalJson(head) !== canonicalJson(before)) found.push('the head is not the last link')
  return found
}
