/** Lets chance write scripts, plays them, and tells what it has found. */
import * as fc from 'fast-check'
import type { Faults } from './faults.ts'
import { run } from './play.ts'
import type { Step } from './script.ts'
import { World, type Given } from './world.ts'

export interface Search {
  readonly scripts: fc.Arbitrary<readonly Step[]>
  readonly runs: number
  readonly seed: number
  readonly faults?: Faults
}

export interface Findings {
  readonly runs: number
  readonly steps: number
  readonly turns: number
  /** How often actions ended in each way. */
  readonly ends: ReadonlyMap<string, number>
  /** What was broken, and the smallest script that was found to break it, as a person reads it. */
  readonly broken: string | null
  /** That script; empty where nothing is broken. */
  readonly script: readonly Step[]
}

const numberOf = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise)

/** From outside, to find again what was found, or to look for longer. */
export const settings = {
  runs: numberOf('COUNTERMAND_MODEL_RUNS', 600),
  seed: numberOf('COUNTERMAND_MODEL_SEED', Date.now() % 1_000_000_000),
}

/** To make a script smaller is to play it again and again; this often is enough to read it. */
const mostTries = 250

export async function explore(given: Given, search: Search): Promise<Findings> {
  const { scripts, runs, seed, faults = {} } = search
  const ends = new Map<string, number>()
  const counts = { runs: 0, steps: 0, turns: 0 }
  let tries: number | null = null
  const property = fc.asyncProperty(scripts, async (steps) => {
    if (tries !== null) tries += 1
    if (tries !== null && tries > mostTries) return
    const world = new World(given, faults)
    try {
      await run(world, steps)
    } catch (thrown) {
      tries ??= 0
      throw thrown
    }
    if (tries !== null) return
    counts.runs += 1
    counts.steps += steps.length
    counts.turns += world.turns.taken
    for (const [word, count] of world.promises.ends) ends.set(word, (ends.get(word) ?? 0) + count)
  })
  const { failed, counterexample, numShrinks, numRuns } = await fc.check(property, { numRuns: runs, seed })
  const [steps] = counterexample ?? []
  if (!failed || steps === undefined) return { ...counts, ends, broken: null, script: [] }
  const found = `run ${numRuns}, made smaller ${numShrinks} times; COUNTERMAND_MODEL_SEED=${seed} finds it again`
  const broken = `${await retold(new World(given, faults), steps)}\n(${found})\n`
  return { ...counts, ends, broken, script: steps }
}

/** The story of a run that breaks a promise. */
async function retold(world: World, steps: readonly Step[]): Promise<string> {
  const what = await run(world, steps).then(
    () => 'Nothing, when it was played again: that is another defect, of the model.',
    (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown)),
  )
  return `${what}\n\n${world.story.join('\n')}`
}

export const summary = (what: string, seed: number, { runs, steps, turns, ends }: Findings): string => {
  const words = [...ends].toSorted((a, b) => b[1] - a[1]).map(([word, count]) => `${word} ${count}`)
  return `${what}: seed ${seed}, ${runs} runs, ${steps} steps, ${turns} turns; ${words.join('; ')}`
}
