/** Attacks as data. Each is made against a server that stands, and must change no row, bring no file, and leave a trace. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { checkDialect, checkError } from '../../packages/server/src/testing/scenarios.ts'
import {
  openServer,
  type Asked,
  type ServerOptions,
  type TestServer,
} from '../../packages/server/src/testing/server.ts'

export type Line = Readonly<Record<string, unknown>>

export interface Stage {
  readonly server: TestServer
  /** What has been logged since the last look. */
  readonly lines: () => readonly Line[]
}

export type Attacker =
  | 'a stolen application secret'
  | 'a hostile device'
  | 'whoever sits on the wire'
  | 'anybody who reaches the port'

export interface Attack {
  readonly name: string
  readonly by: Attacker
  /** Prepares what the attacker has, and answers what is sent. */
  readonly send: (server: TestServer) => Promise<Asked>
  /** Of the answer; `code` is that of the refusal, null where old news is answered as ever. */
  readonly status: number
  readonly code: string | null
  /** Kinds of the events that it leaves; the log line is always there. */
  readonly events?: readonly string[]
  /** Tables that may change with these events: who has spoken, and what was said. No other does. */
  readonly touches?: readonly string[]
  /** What must be so besides. */
  readonly besides?: (server: TestServer) => Promise<void>
}

/** All rows of all tables, by table. */
export function rowsOf({ rows }: TestServer): ReadonlyMap<string, string> {
  const tables = rows.all(
    "select name from sqlite_master where type = 'table' and name not like 'sqlite%' order by name",
  )
  return new Map(
    tables.map(({ name }): [string, string] => {
      const all = rows.all(`select * from "${String(name)}"`).map((row) => JSON.stringify(row))
      return [String(name), createHash('sha256').update(all.toSorted().join('\n')).digest('hex')]
    }),
  )
}

/** Every file of the data folder but the database's own. */
export const filesOf = ({ folder }: TestServer): readonly string[] =>
  readdirSync(join(folder, 'files'), { recursive: true }).map(String).toSorted()

export const changedTables = (before: ReadonlyMap<string, string>, server: TestServer): readonly string[] =>
  [...rowsOf(server)].filter(([table, digest]) => before.get(table) !== digest).map(([table]) => table)

export function stage(options: ServerOptions = {}): Stage {
  const lines: string[] = []
  let open: TestServer | null = null
  beforeAll(async () => {
    open = await openServer({
      ...options,
      databaseUrl: null,
      logTo: { write: (line) => void lines.push(line) },
    })
    await open.upload('run.sh')
  })
  afterAll(() => open?.close())
  return {
    get server() {
      if (open === null) throw new Error('the server is not open yet')
      return open
    },
    lines: () => lines.splice(0).map((line): Line => JSON.parse(line)),
  }
}

export function attacks(title: string, on: Stage, list: readonly Attack[]): void {
  describe(title, () => {
    test.each(list.map((attack) => [attack.name, attack.by, attack] as const))(
      '%s (%s)',
      (_name, _by, attack) => play(on, attack),
    )
  })
}

async function play({ server, lines }: Stage, attack: Attack): Promise<void> {
  const asked = await attack.send(server)
  const [rows, files, last] = [rowsOf(server), filesOf(server), server.history.last()]
  lines()
  const answer = await server.ask(asked)
  assert.equal(answer.status, attack.status, answer.text.slice(0, 500))
  if (attack.code !== null) {
    checkDialect(answer)
    checkError(answer, attack.code)
  }
  const { touches = [], events = [] } = attack
  assert.deepEqual(
    changedTables(rows, server).filter((table) => !touches.includes(table)),
    [],
    'no row has changed',
  )
  assert.deepEqual(filesOf(server), files, 'no file has come')
  assert.deepEqual(
    server.history.events(last).map(({ kind }) => kind),
    events,
  )
  const traces = lines().filter(
    ({ msg, reqId }) => msg === 'answered' && reqId === answer.headers['request-id'],
  )
  assert.deepEqual(
    traces.map(({ status, code, level }) => [status, code, level]),
    // What is answered as ever is told to those who look for trouble.
    [attack.code === null ? [attack.status, undefined, 20] : [attack.status, attack.code, 40]],
    'one line of the log, under the id that the attacker was told',
  )
  await attack.besides?.(server)
}
