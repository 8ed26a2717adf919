/**
 * The model check: server, device and the way between them, over the real code of both, with everything that can go wrong in the
 * hands of chance. COUNTERMAND_MODEL_RUNS and COUNTERMAND_MODEL_SEED look for longer, and look again.
 */
import assert from 'node:assert/strict'
import { afterEach, beforeAll, describe, test } from 'vitest'
// First: what is imported after it lives in its world.
import { stage } from './stage.ts'
import { explore, settings, summary } from './check.ts'
import { planted } from './faults.ts'
import { beginnings, type Beginnings } from './given.ts'
import { scripts, scriptsWithRestores } from './script.ts'

const { runs, seed } = settings
const timeout = 0

let begin: Beginnings
beforeAll(async () => {
  begin = await beginnings()
})

afterEach(() => {
  assert.equal(stage.outside, null, 'nothing of a run outlives it')
})

test('whatever happens, every promise of a cancel is kept', { timeout }, async () => {
  const found = await explore(begin.memory, { scripts, runs, seed })
  console.log(summary('model', seed, found))
  assert.equal(found.broken, null)
})

test('and over the real store, which tells the same stories', { timeout }, async () => {
  const some = { scripts, runs: Math.ceil(runs / 20), seed }
  const found = await explore(begin.sqlite, some)
  console.log(summary('model, SQLite', seed, found))
  assert.equal(found.broken, null)
  assert.deepEqual(found, await explore(begin.memory, some))
})

test('and as far as it was backed up, by a server that is put back from a backup', { timeout }, async () => {
  const found = await explore(begin.memory, { scripts: scriptsWithRestores, runs: Math.ceil(runs / 4), seed })
  console.log(summary('model, restores', seed, found))
  assert.equal(found.broken, null)
})

describe('a planted fault is found', () => {
  test.each(Object.entries(planted))('%s', { timeout }, async (_, faults) => {
    const found = await explore(begin.memory, { scripts, runs, seed, faults })
    console.log(found.broken)
    assert.notEqual(found.broken, null)
  })
})
