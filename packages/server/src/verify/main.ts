/** `npm run verify`: is what the server keeps what happened? Read-only, beside a server that runs or without one. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { readAgent, type Agent } from './agent.ts'
import { thumbprintOf } from './keys.ts'
import { Totals, linesOf } from './report.ts'
import { openPostgresSnapshot, openSqliteSnapshot } from './snapshot.ts'
import { verify } from './verify.ts'

const usage = `npm run verify -- [flags]
  --data DIR            the server's data folder                        default ./data   (COUNTERMAND_DATA)
  --database-url URL    PostgreSQL instead of SQLite in that folder                      (COUNTERMAND_DATABASE_URL)
  --restored            the server was put back from a backup when it says so: what that explains is no fault
  --agent DIR           an agent's data folder, to compare; may be given several times
Ends with 0 when everything holds, with 1 when something does not, with 2 when it could not be checked.
`

const say = (line: string): void => console.log(line)

interface Options {
  readonly dataFolder: string
  readonly databaseUrl: string | null
  readonly agentFolders: readonly string[]
  readonly isRestored: boolean
}

function readOptions(args: readonly string[]): Options {
  const word = { type: 'string' } as const
  const agent = { type: 'string', multiple: true } as const
  const restored = { type: 'boolean' } as const
  const options = { data: word, 'database-url': word, agent, restored }
  const { values } = parseArgs({ args: [...args], options })
  const dataFolder = resolve(values.data ?? (process.env.COUNTERMAND_DATA || 'data'))
  // The agent beside a server: it proves less than one on another machine, and costs nothing.
  const own = join(dataFolder, 'agent')
  const given = (values.agent ?? []).map((folder) => resolve(folder))
  const agentFolders = existsSync(join(own, 'identity.json')) ? [...new Set([own, ...given])] : given
  const databaseUrl = values['database-url'] ?? (process.env.COUNTERMAND_DATABASE_URL || null)
  return { dataFolder, databaseUrl, agentFolders, isRestored: values.restored ?? false }
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    say(usage)
    return 0
  }
  const { dataFolder, databaseUrl, agentFolders, isRestored } = readOptions(args)
  // Before the database: what they remember then must be there, while both go on.
  const agents: Agent[] = []
  for (const folder of agentFolders) agents.push(await readAgent(folder))
  const snapshot =
    databaseUrl === null
      ? openSqliteSnapshot(join(dataFolder, 'countermand.db'))
      : await openPostgresSnapshot(databaseUrl)
  try {
    const totals = new Totals()
    const known = { agents, orderKey: orderKeyIn(dataFolder), isRestored, tick: progress() }
    for await (const report of verify(snapshot, known)) {
      totals.add(report)
      for (const line of linesOf(report)) say(line)
    }
    say(totals.line(agents.length))
    return totals.isWhole ? 0 : 1
  } finally {
    await snapshot.close()
  }
}

/** A copy of the database alone has no keys beside it. */
function orderKeyIn(dataFolder: string): string | null {
  const file = join(dataFolder, 'keys', 'order.jwk')
  if (!existsSync(file)) return null
  const key: object = JSON.parse(readFileSync(file, 'utf8'))
  return thumbprintOf(key)
}

const progressEveryMs = 2_000

/** A line on standard error now and then, so that a long run can be told from a stuck one. */
function progress(): () => void {
  let events = 0
  let next = performance.now() + progressEveryMs
  return () => {
    events += 1
    if (events % 256 !== 0 || performance.now() < next) return
    next = performance.now() + progressEveryMs
    console.error(`… ${events.toLocaleString('en')} events`)
  }
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (thrown) {
  const { message, cause } = thrown instanceof Error ? thrown : new Error(String(thrown))
  console.error(`Not checked: ${message}${cause instanceof Error ? ` (${cause.message})` : ''}\n\n${usage}`)
  process.exitCode = 2
}
