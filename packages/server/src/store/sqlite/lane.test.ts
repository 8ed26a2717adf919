/** The queue before the thread, with a thread that does as it is told. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { numbers } from '../../testing/dice.ts'
import type { Done } from './batch.ts'
import { openLane, type Lane } from './lane.ts'
import type { Item } from '../rooms.ts'

const at = new Date(0)
const nothing = { actions: [], ended: [], wake: [], alarms: [], cancels: [] }
const itemOf = (name: string): Item => ({ name, input: null, at })
const turn = (): Promise<unknown> => new Promise(setImmediate)

interface Batch {
  readonly names: readonly string[]
  readonly answer: (results?: Done['results']) => void
  readonly fail: (thrown: unknown) => void
}

/** A lane whose batches wait for the test. */
function openTestLane(): { lane: Lane; batches: Batch[]; told: number[] } {
  const batches: Batch[] = []
  const told: number[] = []
  const send = (items: readonly Item[]): Promise<Done> => {
    const { promise, resolve, reject } = Promise.withResolvers<Done>()
    const all = items.map(({ name }) => ({ ok: true, value: name }) as const)
    const names = items.map(({ name }) => name)
    batches.push({ names, answer: (results = all) => resolve({ results, change: nothing }), fail: reject })
    return promise
  }
  const lane = openLane(send, ({ results }) => void told.push(results.length))
  return { lane, batches, told }
}

test('whatever waits while a batch is under way is the next batch', async () => {
  const { lane, batches, told } = openTestLane()
  const first = ['a', 'b'].map((name) => lane.add(itemOf(name)))
  await turn()
  const second = ['c', 'd', 'e'].map((name) => lane.add(itemOf(name)))
  await turn()
  assert.deepEqual(
    batches.map(({ names }) => names),
    [['a', 'b']],
  )
  batches[0]?.answer()
  assert.deepEqual(await Promise.all(first), ['a', 'b'])
  assert.deepEqual(batches[1]?.names, ['c', 'd', 'e'])
  batches[1]?.answer()
  assert.deepEqual(await Promise.all(second), ['c', 'd', 'e'])
  assert.deepEqual(told, [2, 3])
})

test('nobody is answered before the batch is', async () => {
  const { lane, batches } = openTestLane()
  let answered = 0
  const all = numbers(3).map((n) => lane.add(itemOf(`${n}`)).then(() => (answered += 1)))
  for (const _ of numbers(5)) await turn()
  assert.equal(answered, 0)
  batches[0]?.answer()
  await Promise.all(all)
  assert.equal(answered, 3)
})

test('a result is its own caller’s, in whatever order they came', async () => {
  const { lane, batches } = openTestLane()
  const all = Promise.allSettled(['a', 'b', 'c'].map((name) => lane.add(itemOf(name))))
  await turn()
  batches[0]?.answer([
    { ok: true, value: 1 },
    { ok: false, refusal: { code: 'Conflict', message: 'no', retryAfterSeconds: 7 } },
    { ok: false, fault: 'broken' },
  ])
  const [a, b, c] = await all
  assert.deepEqual(a, { status: 'fulfilled', value: 1 })
  assert.ok(b?.status === 'rejected' && c?.status === 'rejected')
  const { code, message, retryAfterSeconds } = b.reason
  assert.deepEqual([code, message, retryAfterSeconds], ['Conflict', 'no', 7])
  assert.deepEqual([c.reason.code, c.reason.message], [undefined, 'broken'])
})

test('a batch that fails fails all that were in it, and the next goes on', async () => {
  const { lane, batches, told } = openTestLane()
  const first = Promise.allSettled(['a', 'b'].map((name) => lane.add(itemOf(name))))
  await turn()
  const next = lane.add(itemOf('c'))
  batches[0]?.fail(new Error('gone'))
  for (const result of await first)
    assert.ok(result.status === 'rejected' && result.reason.message === 'gone')
  batches[1]?.answer()
  assert.equal(await next, 'c')
  assert.deepEqual(told, [1], 'what failed is told to nobody')
})

test('a batch has its limit, and who is over it is in the next', async () => {
  const { lane, batches } = openTestLane()
  const all = numbers(1_100).map((n) => lane.add(itemOf(`${n}`)))
  for (const size of [500, 500, 100]) {
    await turn()
    assert.equal(batches.at(-1)?.names.length, size)
    batches.at(-1)?.answer()
  }
  assert.deepEqual(
    await Promise.all(all),
    numbers(1_100).map((n) => `${n}`),
  )
})

test('a lane is idle when nothing waits and nothing is under way', async () => {
  const { lane, batches } = openTestLane()
  await lane.idle()
  let idle = false
  const added = lane.add(itemOf('a'))
  const waited = lane.idle().then(() => (idle = true))
  await turn()
  assert.equal(idle, false)
  batches[0]?.answer()
  await Promise.all([added, waited])
  assert.ok(idle)
})
