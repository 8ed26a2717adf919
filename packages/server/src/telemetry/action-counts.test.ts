import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Phase } from '@countermand/contract'
import type { Store } from '../app/ports.ts'
import type { Counted } from '../app/telemetry.ts'
import { openActionCounts, type ReadCounts } from './action-counts.ts'

const hour = 60 * 60_000

/** A table of actions by number, and a count of the stretches that were looked at. */
function table(phases: Phase[]) {
  const clock = { now: new Date('2026-02-03T04:05:06Z') }
  const stage = { looks: 0, fails: false, createdAt: new Date(clock.now.getTime() - hour) }
  const count = (after: number, most: number): Counted => {
    stage.looks += 1
    if (stage.fails) throw new Error('the database is away')
    const some = phases.slice(after, after + most)
    const counts = [...new Set(some)].map((phase) => ({
      type: 'LiveResponse' as const,
      phase,
      count: some.filter((one) => one === phase).length,
    }))
    return { counts, youngest: some.length === 0 ? null : stage.createdAt, last: phases.length }
  }
  const read = (_name: string, { after, most }: { after: number; most: number }): Promise<Counted> =>
    new Promise((resolve) => resolve(count(after, most)))
  const store = { read } as unknown as Store
  const counts = openActionCounts(store, () => clock.now)
  const after = async (ms: number): Promise<object> => {
    clock.now = new Date(clock.now.getTime() + ms)
    return read1(counts)
  }
  return { stage, after }
}

const read1 = async (counts: ReadCounts): Promise<object> =>
  Object.fromEntries((await counts()).map(({ phase, count }) => [phase, count]))

const many = (count: number, phase: Phase): Phase[] => Array.from({ length: count }, () => phase)

test('an empty table has no actions', async () => {
  assert.deepEqual(await table([]).after(0), {})
})

test('a stretch that has ended is looked at once, one with open actions again', async () => {
  const phases = [...many(3_000, 'succeeded'), ...many(10, 'queued')]
  const { stage, after } = table(phases)
  assert.deepEqual(await after(0), { succeeded: 3_000, queued: 10 })
  assert.equal(stage.looks, 4)
  phases[3_009] = 'cancelled'
  assert.deepEqual(await after(5_000), { succeeded: 3_000, queued: 9, cancelled: 1 })
  assert.equal(stage.looks, 5)
})

test('an old action that is open keeps its stretch open, and is found when it ends', async () => {
  const phases = many(2_500, 'failed')
  phases[17] = 'running'
  const { after } = table(phases)
  assert.deepEqual(await after(0), { failed: 2_499, running: 1 })
  phases[17] = 'timed_out'
  phases.push(...many(1_000, 'queued'))
  assert.deepEqual(await after(5_000), { failed: 2_499, timed_out: 1, queued: 1_000 })
  assert.deepEqual(await after(5_000), { failed: 2_499, timed_out: 1, queued: 1_000 })
})

test('a young stretch is not closed: another server may be about to commit a number in it', async () => {
  const phases = many(1_500, 'succeeded')
  const { stage, after } = table(phases)
  stage.createdAt = new Date('2026-02-03T04:05:06Z')
  assert.deepEqual(await after(0), { succeeded: 1_500 })
  phases[3] = 'cancelled'
  assert.deepEqual(await after(60_000), { succeeded: 1_499, cancelled: 1 })
  assert.deepEqual(await after(60_000), { succeeded: 1_499, cancelled: 1 })
})

test('within five seconds nothing is looked at again', async () => {
  const { stage, after } = table(many(10, 'queued'))
  await after(0)
  await after(4_999)
  assert.equal(stage.looks, 1)
})

test('after a look that failed nothing is missing, and nothing counts twice', async () => {
  const phases = [...many(2_000, 'succeeded'), ...many(10, 'queued')]
  const { stage, after } = table(phases)
  stage.fails = true
  await assert.rejects(after(0))
  stage.fails = false
  assert.deepEqual(await after(1), { succeeded: 2_000, queued: 10 })
  stage.fails = true
  await assert.rejects(after(5_000))
  stage.fails = false
  assert.deepEqual(await after(1), { succeeded: 2_000, queued: 10 })
})
