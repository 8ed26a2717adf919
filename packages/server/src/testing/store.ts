/** A store with no server around it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Change, Store } from '../app/ports.ts'
import type { Work } from '../app/rows.ts'
import { atOnce, type Order } from '../core/action-shape.ts'
import { startOrder, type Device } from '../core/device.ts'
import { firstStances } from '../core/posture.ts'
import { openPostgres } from '../store/postgres/open.ts'
import { openSqlite } from '../store/sqlite/open.ts'
import { digestOf } from '../store/events.ts'
import { migrate } from '../store/migrations/index.ts'
import { openPostgresStore } from '../store/postgres/store.ts'
import { openSqliteStore } from '../store/sqlite/store.ts'
import type { TestDatabase } from './databases.ts'
import { openHistory, type History } from './history.ts'
import { openRows, type Rows } from './rows.ts'
import { start } from './server.ts'
import { testReads, testWrites, type TestReads, type TestWrites } from './works.ts'

type InputOf<W> = W extends Work<infer Input, infer _> ? Input : never
type OutputOf<W> = W extends Work<infer _, infer Output> ? Output : never

export interface TestStore {
  /** Null for SQLite. */
  readonly url: string | null
  readonly folder: string
  readonly rows: Rows
  readonly history: History
  readonly clock: { now: Date }
  /** What it has told of its commits. */
  readonly told: Change[]
  /** Why its thread ended. */
  readonly deaths: unknown[]
  read<Name extends keyof TestReads>(
    name: Name,
    input: InputOf<TestReads[Name]>,
  ): Promise<OutputOf<TestReads[Name]>>
  write<Name extends keyof TestWrites>(
    name: Name,
    input: InputOf<TestWrites[Name]>,
  ): Promise<OutputOf<TestWrites[Name]>>
  close(): Promise<void>
}

export interface TestStoreOptions {
  /** Hears of each commit as it is told. */
  readonly committed?: (change: Change) => void
}

export async function openTestStore(
  database: TestDatabase,
  { committed = () => undefined }: TestStoreOptions = {},
): Promise<TestStore> {
  const url = await database.fresh()
  const folder = mkdtempSync(join(tmpdir(), 'countermand-store-'))
  const told: Change[] = []
  const deaths: unknown[] = []
  const tell = (change: Change): void => {
    told.push(change)
    committed(change)
  }
  const clock = { now: start }
  const died = (reason: unknown): void => void deaths.push(reason)
  const options = { now: () => clock.now, committed: tell, died }
  const store = await (url === null ? overSqlite(folder, options) : overPostgres(url, options))
  const rows = openRows({ dataFolder: folder, databaseUrl: url })
  const close = async (): Promise<void> => {
    rows.close()
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return {
    url,
    folder,
    rows,
    history: openHistory(rows),
    clock,
    told,
    deaths,
    close,
    read: (name, input) => store.read(name as never, input as never) as never,
    write: (name, input) => store.write(name as never, input as never) as never,
  }
}

interface StoreOptions {
  readonly now: () => Date
  readonly committed: (change: Change) => void
  readonly died: (reason: unknown) => void
}

const epoch = 'the first'

async function overSqlite(folder: string, options: StoreOptions): Promise<Store> {
  const file = join(folder, 'countermand.db')
  const { db } = openSqlite(file, 'alone')
  await migrate(db)
  await db.destroy()
  const thread = new URL('./database-thread.ts', import.meta.url)
  return openSqliteStore({ ...options, file, epoch, thread })
}

async function overPostgres(url: string, { now, committed }: StoreOptions): Promise<Store> {
  const db = openPostgres(url)
  await migrate(db)
  const works = { reads: testReads, writes: testWrites }
  const looking = openPostgres(url)
  return openPostgresStore({ db, looking, known: { epoch, digest: digestOf }, now, works, committed })
}

export const deviceOf = (id: string): Device => ({
  id,
  name: `name of ${id}`,
  key: null,
  keyThumbprint: null,
  facts: null,
  capabilities: {},
  firstSeen: start,
  lastSeen: null,
  lastAddress: null,
  tags: [],
  deviceValue: 'Normal',
  addresses: [],
  logons: [],
  order: startOrder(''),
  head: { sequence: 0, digest: '' },
  reportedHead: null,
  progress: null,
  givenName: null,
  keyRevokedAt: null,
  retiredAt: null,
  offboardedAt: null,
  stances: firstStances,
})

export const orderOf = (id: string, machineId: string, createdAt = start): Order => ({
  id,
  machineId,
  createdAt,
  type: 'LiveResponse',
  computerDnsName: 'ws-017',
  requestor: 'ann',
  comment: 'case 17',
  externalId: null,
  scope: null,
  reversible: false,
  ...atOnce,
  runLimitMs: 600_000,
  parameters: { commands: [] },
})
