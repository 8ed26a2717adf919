/** The database as it stands at one moment, to be read and not written, while the server goes on. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import type { Selectable } from 'kysely'
import { Client, types } from 'pg'
import type { EventRow, StatementRow, Tables } from '../store/schema.ts'

/** Each table by the key that names a chain, and inside of it in the order in which it was written. */
const orders = {
  chains: ['chain'],
  devices: ['id'],
  actions: ['machine_id', 'n'],
  events: ['chain', 'sequence', 'n'],
  statements: ['machine_id', 'seq', 'digest'],
} as const satisfies Partial<Record<keyof Tables, readonly [string, ...string[]]>>
export type Table = keyof typeof orders

export interface Snapshot {
  rows<Name extends Table>(table: Name): AsyncIterable<Selectable<Tables[Name]>>
  findStatement(digest: string): Promise<StatementRow | null>
  /** Of one kind, in order. Looks at every event there is. */
  findEvents(chain: string, kind: string): Promise<readonly Selectable<EventRow>[]>
  close(): Promise<void>
}

/** `binary`: the name of the order by bytes, which both databases have. */
const selection = (table: Table, binary: string): string => {
  const [key, ...rest] = orders[table]
  return `select * from ${table} order by ${[`${key} collate ${binary}`, ...rest].join(', ')}`
}

const eventsOfKind = (chain: string, kind: string): string =>
  `select * from events where chain = ${chain} and kind = ${kind} order by sequence`

/** A SQLite file, in one read transaction. The server writes on; only its log cannot begin anew meanwhile. */
export function openSqliteSnapshot(file: string): Snapshot {
  const { database, end } = openFile(file)
  database.exec('PRAGMA cache_size = -16384')
  database.exec('BEGIN')
  // The moment is that of the first look.
  database.prepare('select count(*) from settings').get()
  const byDigest = database.prepare('select * from statements where digest = ?')
  byDigest.setReadBigInts(true)
  return {
    rows: async function* (table) {
      const statement = database.prepare(selection(table, 'binary'))
      statement.setReadBigInts(true)
      for (const found of statement.iterate()) {
        const row = plain(found)
        if (isRowOf(table, row)) yield row
      }
    },
    findStatement: (digest) => {
      const found = byDigest.get(digest)
      const row = found === undefined ? null : plain(found)
      return Promise.resolve(row !== null && isRowOf('statements', row) ? row : null)
    },
    findEvents: (chain, kind) => {
      const found = database.prepare(eventsOfKind('?', '?')).all(chain, kind).map(plain)
      return Promise.resolve(found.filter((row) => isRowOf('events', row)))
    },
    close: () => {
      database.close()
      end()
      return Promise.resolve()
    },
  }
}

/** Where the folder cannot be written, SQLite cannot read a file beside which a log lies: then it reads a copy. */
function openFile(file: string): { database: DatabaseSync; end: () => void } {
  if (!existsSync(file)) throw new Error(`There is no ${file}. Give the server's data folder with --data.`)
  try {
    return { database: open(file), end: () => undefined }
  } catch (thrown) {
    if (!(thrown instanceof Error && 'errcode' in thrown && thrown.errcode === cannotOpen)) throw thrown
  }
  const folder = mkdtempSync(join(tmpdir(), 'countermand-verify-'))
  const end = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    const copy = join(folder, 'copy.db')
    copyFileSync(file, copy)
    if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${copy}-wal`)
    return { database: open(copy), end }
  } catch (thrown) {
    end()
    throw thrown
  }
}

function open(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
  database.prepare('select count(*) from sqlite_schema').get()
  return database
}

/** SQLITE_CANTOPEN */
const cannotOpen = 14

/** Of its columns the selection itself sees to it that they are there; what stands in them is for the checks. */
const isRowOf = <Name extends Table>(table: Name, row: object): row is Selectable<Tables[Name]> =>
  orders[table].every((column) => column in row)

/** What nobody can have written through the server comes through as text, and is then found to be wrong. */
const plain = (row: Readonly<Record<string, SQLOutputValue>>): object =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plainValue(value)]))

function plainValue(value: SQLOutputValue): string | number | null {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  return value instanceof Uint8Array ? `bytes ${Buffer.from(value).toString('hex')}` : value
}

const rowsAtOnce = 500

/** A PostgreSQL database, in one read-only transaction that sees one state. */
export async function openPostgresSnapshot(url: string): Promise<Snapshot> {
  types.setTypeParser(types.builtins.INT8, Number)
  const client = new Client({ connectionString: url })
  // A connection that breaks fails the query under way; here it would only end the process without a word.
  client.on('error', () => undefined)
  await client.connect()
  await client.query('begin isolation level repeatable read read only')
  return {
    rows: async function* <Name extends Table>(table: Name) {
      await client.query(`declare ${table}_rows no scroll cursor for ${selection(table, '"C"')}`)
      for (;;) {
        const { rows } = await client.query<Selectable<Tables[Name]>>(
          `fetch ${rowsAtOnce} from ${table}_rows`,
        )
        yield* rows
        if (rows.length < rowsAtOnce) return
      }
    },
    findStatement: async (digest) =>
      (await client.query<StatementRow>('select * from statements where digest = $1', [digest])).rows[0] ??
      null,
    findEvents: async (chain, kind) =>
      (await client.query<Selectable<EventRow>>(eventsOfKind('$1', '$2'), [chain, kind])).rows,
    close: () => client.end(),
  }
}
