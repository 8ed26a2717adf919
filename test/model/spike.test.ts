import './stage.ts'
import { writeFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { test } from 'vitest'
import { given } from './given.ts'
import { run, scripts, type Step } from './script.ts'
import { World } from './world.ts'

test('spike', { timeout: 0 }, async () => {
  const g = await given()
  const ends = new Map<string, number>()
  let runs = 0, turns = 0
  const t0 = performance.now(), c0 = process.cpuUsage()
  const result = await fc.check(fc.asyncProperty(scripts, async (steps) => {
    const world = new World(g)
    runs++
    try { await run(world, steps) } catch (e) { if (!process.env.GOON) throw e }
    turns += world.turns.taken
    for (const [k, n] of world.promises.ends) ends.set(k, (ends.get(k) ?? 0) + n)
  }), { numRuns: Number(process.env.COUNTERMAND_MODEL_RUNS ?? 200), ...(process.env.COUNTERMAND_MODEL_SEED ? { seed: Number(process.env.COUNTERMAND_MODEL_SEED) } : {}) })
  const ms = performance.now() - t0
  const c = process.cpuUsage(c0)
  console.log('cpu ms per run', (c.user + c.system) / 1000 / runs)
  console.log(runs, turns, ms / runs, result.seed, result.numShrinks, ends)
  if (result.failed) writeFileSync('/tmp/steps.json', JSON.stringify(result.counterexample?.[0]))
  if (result.failed) console.log(String(result.errorInstance), JSON.stringify(result.counterexample?.[0] as Step[], null, 0).replaceAll('},{', '},\n{'))
})
