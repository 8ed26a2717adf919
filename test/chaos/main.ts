/** `npm run chaos`: kill -9 at every named point, again and again, and look whether what was said is still true. */
import { parseArgs } from 'node:util'
import { needs } from '../needs.ts'
import { runChaos } from './chaos.ts'
import { faultLines, tableOf, wanting } from './table.ts'

const usage = `npm run chaos -- [flags]       as root, on Linux with cgroup v2
  --rounds N      how many rounds; default 200
  --only N        round N alone, to see a fault again
  --lanes N       servers, each with an agent, that are kept busy at once; default 3
  --keep DIR      leave the data of every lane there
COUNTERMAND_CHAOS_SEED decides what each round does; a new one is made and printed where it is left out.
Ends with 0 when nothing was lost, untrue, left or open for ever, and every point was died at often enough; else with 1.
`

const say = (line: string): void => console.log(line)

async function main(args: readonly string[]): Promise<number> {
  const word = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const options = { rounds: word, only: word, lanes: word, keep: word, help: flag }
  const { values } = parseArgs({ args: [...args], options })
  if (values.help === true) {
    say(usage)
    return 0
  }
  if (!needs('root') || !needs('cgroup2')) return 2
  const seed = count(process.env.COUNTERMAND_CHAOS_SEED) ?? Date.now() % 1_000_000
  const rounds = count(values.rounds) ?? 200
  const only = count(values.only)
  // Of 200 rounds each point gets eight; a few may pass it by.
  const leastHits = only === null ? Math.min(5, Math.floor(rounds / 30)) : 0
  say(`COUNTERMAND_CHAOS_SEED=${seed}`)
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())
  const lanes = count(values.lanes) ?? 3
  const given = { seed, rounds, only, lanes, leastHits, keep: values.keep ?? null, say, signal: stop.signal }
  const began = performance.now()
  const chaos = await runChaos(given)
  say(`\n${tableOf(chaos)}\n`)
  for (const line of chaos.verified) say(`verify, ${line}`)
  const faults = [...faultLines(chaos, seed), ...wanting(chaos, leastHits)]
  for (const line of faults) say(line)
  say(`seed ${seed}, ${chaos.played.length} rounds in ${Math.round((performance.now() - began) / 1000)} s`)
  return faults.length === 0 ? 0 : 1
}

function count(text: string | undefined): number | null {
  if (text === undefined || text === '') return null
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${JSON.stringify(text)} is not a whole number\n\n${usage}`)
  return Number(text)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (thrown) {
  console.error(thrown instanceof Error ? thrown.message : thrown)
  // A round that was given up may still wait for what will not come.
  process.exit(2)
}
