/** Copies of a database for somebody who owns it: everything can be written, and every digest made to fit again. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue, type SQLOutputValue } from 'node:sqlite'
import type { NewsItem, Reply } from '@countermand/contract'
import { onTestFinished } from 'vitest'
import { canonicalJson, sha256 } from '../../testing/history.ts'
import type { TestDevice } from '../../testing/device.ts'
import type { TestServer } from '../../testing/server.ts'
import { readAgent } from '../agent.ts'
import type { FaultKind } from '../fault.ts'
import { openSqliteSnapshot, type Snapshot } from '../snapshot.ts'
import { verify, type ChainReport } from '../verify.ts'

export interface Found {
  readonly chain: string
  readonly kind: FaultKind
  readonly where: string
  readonly what: string
}

/** Everything that is found in a database, with what agents remember beside it. */
export async function reportsOn(
  snapshot: Snapshot,
  agents: readonly string[],
  isRestored = false,
): Promise<ChainReport[]> {
  const remembered = await Promise.all(agents.map(readAgent))
  const reports: ChainReport[] = []
  try {
    const known = { agents: remembered, orderKey: null, isRestored, tick: () => undefined }
    for await (const report of verify(snapshot, known)) reports.push(report)
    return reports
  } finally {
    await snapshot.close()
  }
}

export const faultsIn = (reports: readonly ChainReport[]): readonly Found[] =>
  reports.flatMap(({ chain, fault }) =>
    fault === null ? [] : [{ chain, kind: fault.kind, where: fault.where, what: fault.message }],
  )

type Row = Readonly<Record<string, SQLOutputValue>>

export class Copy {
  readonly folder = mkdtempSync(join(tmpdir(), 'countermand-verify-test-'))
  private readonly db: DatabaseSync

  constructor({ rows, folder }: Pick<TestServer, 'rows' | 'folder'>) {
    const file = join(this.folder, 'countermand.db')
    rows.exec(`vacuum into '${file}'`)
    cpSync(join(folder, 'keys'), join(this.folder, 'keys'), { recursive: true })
    this.db = new DatabaseSync(file)
    this.db.exec('pragma journal_mode = wal')
  }

  async found(...agents: readonly string[]): Promise<readonly Found[]> {
    return faultsIn(await reportsOn(openSqliteSnapshot(join(this.folder, 'countermand.db')), agents))
  }

  all(sql: string, ...values: readonly SQLInputValue[]): readonly Row[] {
    return this.db.prepare(sql).all(...values)
  }

  one(sql: string, ...values: readonly SQLInputValue[]): Row {
    const [row] = this.all(sql, ...values)
    if (row === undefined) throw new Error(`nothing found by ${sql}`)
    return row
  }

  run(sql: string, ...values: readonly SQLInputValue[]): void {
    const { changes } = this.db.prepare(sql).run(...values)
    if (changes === 0) throw new Error(`nothing changed by ${sql}`)
  }

  /** Numbers, digests and head of a chain made to fit what stands in it. */
  rehash(chain: string): void {
    let head = { sequence: 0, digest: 'A'.repeat(43) }
    for (const row of this.all('select * from events where chain = ? order by sequence, n', chain)) {
      const { kind, action_id: actionId, actor, at, statement } = row
      const place = { chain, sequence: head.sequence + 1, previous: head.digest }
      const data: unknown = JSON.parse(String(row.data))
      const link = { ...place, kind, actionId, actor, alarm: row.alarm === 1, at, data, statement }
      head = { sequence: place.sequence, digest: sha256(canonicalJson(link)) }
      const values = [head.sequence, place.previous, head.digest, row.n ?? null]
      this.run('update events set sequence = ?, previous = ?, digest = ? where n = ?', ...values)
    }
    this.run('update chains set sequence = ?, digest = ? where chain = ?', head.sequence, head.digest, chain)
  }

  /** The head that the device reported last is made to be the head that is. */
  report(chain: string): void {
    const head = canonicalJson({ ...this.one('select digest, sequence from chains where chain = ?', chain) })
    this.run('update devices set reported_head = ? where id = ?', head, chain)
  }

  /** The last events of a chain are taken out, and the head is moved. */
  cut(chain: string, events: number): void {
    const last = 'select n from events where chain = ? order by sequence desc limit ?'
    this.run(`delete from events where n in (${last})`, chain, events)
    this.rehash(chain)
  }

  /** One more event at the end, well chained, by somebody who knows how. */
  append(
    chain: string,
    event: { kind: string; action: string; data: object; statement: string | null },
  ): void {
    const { kind, action, data, statement } = event
    const own = this.one('select n, at from events where action_id = ? order by n desc', action)
    const at =
      statement === null ? own.at : this.one('select at from statements where digest = ?', statement).at
    const values = [chain, kind, action, at ?? null, JSON.stringify(data), statement, own.n ?? null]
    this.run(
      `insert into events (chain, sequence, previous, digest, kind, action_id, actor, alarm, at, data, statement, before)
       values (?, 1000000, '', '', ?, ?, null, 0, ?, ?, ?, ?)`,
      ...values,
    )
    this.rehash(chain)
  }

  /** Keeps a statement, as the server does; answers its digest. */
  keep({ jws, statement }: TestDevice['said'][number]): string {
    const digest = sha256(jws)
    const { at } = this.one('select max(at) as at from events where chain = ?', statement.machineId)
    const values = [digest, statement.machineId, statement.seq, at ?? null, jws]
    this.run('insert into statements (digest, machine_id, seq, at, jws) values (?, ?, ?, ?, ?)', ...values)
    return digest
  }

  close(): void {
    this.db.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The data folder of an agent that is this device and was answered this last. */
export function agentFolder(
  { machineId, key }: Pick<TestDevice, 'machineId' | 'key'>,
  { head, acknowledged }: Pick<Reply, 'head' | 'acknowledged'>,
  news: readonly NewsItem[] = [],
): string {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-verify-agent-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const prefix = key.thumbprint.slice(0, 16)
  writeFileSync(join(folder, 'identity.json'), JSON.stringify({ machineId, key: key.open }))
  writeFileSync(join(folder, `sync-${prefix}.json`), JSON.stringify({ serverHead: head, acknowledged }))
  mkdirSync(join(folder, `news-${prefix}`))
  for (const item of news) {
    writeFileSync(
      join(folder, `news-${prefix}`, `${String(item.n).padStart(12, '0')}.json`),
      JSON.stringify(item),
    )
  }
  return folder
}
