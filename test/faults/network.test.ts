/** The network between a device and its server is cut, slow or lossy. Everything ends truly, and with no wrong proof. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { openWorld, type World } from '../end-to-end/fixture.ts'
import { needs } from '../needs.ts'
import {
  assertNothingLives,
  assertOutstanding,
  assertStopped,
  assertVerified,
  assertWhole,
  isAlive,
  issue,
  letGo,
  runsOf,
  startWaiting,
  untilGone,
} from './acts.ts'
import { openProxy, type Proxy } from './proxy.ts'
import { through } from './through.ts'

const timeout = 100_000
const isAble = needs('root') && needs('cgroup2')

/** Numbers below 1 that the seed decides. */
function dice(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

describe.skipIf(!isAble)('the network', { timeout }, () => {
  let proxy: Proxy
  let world: World
  beforeAll(async () => {
    proxy = await openProxy()
    world = await openWorld(through(proxy))
  }, timeout)
  afterAll(async () => {
    await world.close()
    await proxy.close()
  }, timeout)

  test('is cut while a script runs and a cancel comes: outstanding, and stopped when it is mended', async () => {
    const issued = await startWaiting(world)
    proxy.set({ is: 'cut' })
    assertOutstanding((await world.api.cancel(issued.id)).action)
    await pause(1_000)
    assert.equal(isAlive(issued), true)
    assertOutstanding(await world.api.action(issued.id))
    proxy.set({ is: 'open' })
    await assertStopped(world, issued)
  })

  test('is cut when a script ends, and a cancel comes then: too late, and said so', async () => {
    const issued = await startWaiting(world)
    proxy.set({ is: 'cut' })
    letGo(issued)
    await untilGone(issued)
    assertOutstanding((await world.api.cancel(issued.id)).action)
    proxy.set({ is: 'open' })
    await assertWhole(world, issued)
    assert.equal((await world.api.action(issued.id)).countermand.cancel?.state, 'too_late')
  })

  test('is cut when an action is issued, and it is cancelled: never offered, and never run', async () => {
    proxy.set({ is: 'cut' })
    const issued = await issue(world)
    const { action } = await world.api.cancel(issued.id)
    assert.deepEqual([action.status, action.countermand.proof], ['Cancelled', 'never_offered'])
    proxy.set({ is: 'open' })
    const next = await startWaiting(world)
    letGo(next)
    await assertWhole(world, next)
    assert.equal(runsOf(issued), '')
  })

  test('is slow, 300 ms each way and 64 kbit/s: a script runs once, a cancel stops it, both with proof', async () => {
    proxy.set({ is: 'open', shape: { latencyMs: 300, bytesPerSecond: 8_000 } })
    const first = await startWaiting(world)
    letGo(first)
    await assertWhole(world, first)
    const second = await startWaiting(world)
    await world.api.cancel(second.id)
    await assertStopped(world, second)
    proxy.set({ is: 'open' })
  })

  test('breaks three connections in ten at random points: everything ends once, and truly', async () => {
    const seed = Number(process.env.COUNTERMAND_SEED ?? Date.now() % 1_000_000)
    console.log(`network: COUNTERMAND_SEED=${seed}`)
    const roll = dice(seed)
    // Within what a sync and its reply need, or a little beyond: so that each half of an exchange is hit.
    const after = (): number => (roll() < 0.3 ? Math.floor(roll() * 16_000) : 40_000)
    proxy.set({ is: 'breaking', after })
    try {
      for (let round = 1; round <= 10; round += 1) {
        const issued = await issue(world)
        const isCancelled = roll() < 0.5
        await pause(roll() * 400)
        if (isCancelled) await world.api.cancel(issued.id)
        letGo(issued)
        const { status, countermand } = await world.api.untilOver(issued.id)
        const told = `COUNTERMAND_SEED=${seed}, round ${round}: ${status} ${countermand.proof} ran ${runsOf(issued)}`
        if (!isCancelled) assert.equal(status, 'Succeeded', told)
        if (status === 'Succeeded') assert.equal(runsOf(issued), 'ran\n', told)
        if (countermand.proof !== null && countermand.proof !== 'stopped')
          assert.equal(runsOf(issued), '', told)
        assert.ok(['', 'ran\n'].includes(runsOf(issued)), told)
        if (status === 'Cancelled') assertNothingLives(world, issued)
      }
    } finally {
      proxy.set({ is: 'open' })
    }
    assert.ok(proxy.broken() > 0)
    await assertVerified(world)
  })
})
