/**
 * The model check: server, device and the way between them, over the real code of both, with everything that can go wrong in the
 * hands of chance. COUNTERMAND_MODEL_RUNS and COUNTERMAND_MODEL_SEED look for longer, and look again.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { afterEach, beforeAll, describe, test } from 'vitest'
// First: what is imported after it lives in its world.
import { stage } from './stage.ts'
import { explore, settings, summary, type Findings, type Search } from './check.ts'
import { planted } from './faults.ts'
import { numbers } from '../../packages/server/src/testing/dice.ts'
import { beginnings, type Beginnings } from './given.ts'
import { run } from './play.ts'
import { scripts, scriptsWithRestores, type Step } from './script.ts'
import { World, type Given } from './world.ts'

const { runs, seed } = settings
const timeout = 10 * 60_000

let begin: Beginnings
beforeAll(async () => {
  begin = await beginnings()
})

afterEach(() => {
  assert.equal(stage.outside, null, 'nothing of a run outlives it')
})

/** Looks for something broken, and says how far it has looked. */
async function look(where: string, given: Given, search: Partial<Search>): Promise<Findings> {
  const found = await explore(given, { scripts, runs, seed, ...search })
  console.log(summary(where, seed, found))
  if (found.broken !== null) assert.fail(found.broken)
  return found
}

test('whatever happens, every promise of a cancel is kept', { timeout }, async () => {
  await look('model', begin.memory, {})
})

test('and over the real store, which tells the same stories', { timeout }, async () => {
  const some = { runs: Math.ceil(runs / 20) }
  const real = await look('model, SQLite', begin.sqlite, some)
  assert.deepEqual(real, await look('model, the same', begin.memory, some))
})

test('and as far as it was backed up, by a server that is put back from a backup', { timeout }, async () => {
  await look('model, restores', begin.memory, { scripts: scriptsWithRestores, runs: Math.ceil(runs / 4) })
})

test('one script has one run', { timeout }, async () => {
  for (const steps of fc.sample(scripts, { numRuns: 20, seed })) {
    const [one, other] = [new World(begin.memory), new World(begin.memory)]
    // What it breaks is a matter of the tests above.
    for (const world of [one, other]) await run(world, steps).catch(() => undefined)
    assert.deepEqual(one.turns.labels, other.turns.labels)
    assert.deepEqual(one.story, other.story)
  }
})

/** Names that it had not synced yet are there for whoever starts next, and gone after a power cut: news would be told anew, with another time. */
test(
  'what an agent that is killed at any turn leaves is not built on while it can be lost',
  { timeout },
  async () => {
    const quietly = { order: [] }
    const issued: readonly Step[] = [
      { do: 'issue', by: 'ann' },
      { do: 'exchange', ...quietly },
    ]
    for (const turns of numbers(60)) {
      await run(new World(begin.memory), [
        ...issued,
        { do: 'exit', which: 0, leavesChild: false },
        { do: 'work', turns, ...quietly },
        { do: 'kill' },
        { do: 'start' },
        { do: 'exchange', ...quietly },
        { do: 'cutPower', ...quietly },
        { do: 'pass', ms: 1_000 },
        { do: 'deliver', which: 0 },
        { do: 'start' },
        { do: 'exchange', ...quietly },
        ...issued,
      ])
    }
  },
)

describe('a planted fault is found', () => {
  test.each(Object.entries(planted))('%s', { timeout }, async (name, faults) => {
    const { broken, script } = await explore(begin.memory, { scripts, runs, seed, faults })
    console.log(`${name}: ${broken}`)
    assert.notEqual(broken, null)
    // And it is this fault that breaks it: without it the same script keeps every promise.
    await run(new World(begin.memory), script)
  })
})
