/** A host vanishes without a word, or a wake-up does. Nobody is told, and everybody finds out. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, test } from 'vitest'
import { isOver } from '../end-to-end/api.ts'
import { until } from '../end-to-end/program.ts'
import { needs } from '../needs.ts'
import {
  assertOutstanding,
  assertStopped,
  assertWhole,
  isAlive,
  issue,
  letGo,
  runsOf,
  startWaiting,
  untilGone,
} from './acts.ts'
import { withProxy } from './through.ts'

const timeout = 180_000
/** Three heartbeats without a word, the pause before another try, and what a busy machine takes. */
const foundOutWithinMs = 75_000

describe.skipIf(!needs('root') || !needs('cgroup2')).concurrent('the server’s host', { timeout }, () => {
  test('vanishes while a script runs and a cancel comes: outstanding, and proven once the device has found out', () =>
    withProxy(async (world, proxy) => {
      const issued = await startWaiting(world)
      proxy.set({ is: 'vanished' })
      assertOutstanding((await world.api.cancel(issued.id)).action)
      await pause(2_000)
      assert.equal(isAlive(issued), true)
      proxy.set({ is: 'open' })
      // Back, but what was open stays dead: the device hears nothing, and has to think of it itself.
      const found = async (): Promise<boolean> => isOver(await world.api.action(issued.id))
      await until('the cancel to be proven', found, { withinMs: foundOutWithinMs, everyMs: 500 })
      await assertStopped(world, issued)
    }))

  test('vanishes while the device tells an end: it is told again, and taken once', () =>
    withProxy(async (world, proxy) => {
      const issued = await startWaiting(world)
      proxy.set({ is: 'vanished' })
      letGo(issued)
      await untilGone(issued)
      await pause(1_000)
      assert.equal((await world.api.action(issued.id)).status, 'InProgress')
      proxy.set({ is: 'open' })
      const found = async (): Promise<boolean> => isOver(await world.api.action(issued.id))
      await until('the end to be heard', found, { withinMs: foundOutWithinMs, everyMs: 500 })
      await assertWhole(world, issued)
    }))

  test('is there, and a wake-up is lost on a stream that lives: the next heartbeat tells, within 15 s', () =>
    withProxy(async (world, proxy) => {
      const first = await startWaiting(world)
      letGo(first)
      await assertWhole(world, first)
      await pause(500)
      proxy.set({ is: 'swallowing' })
      const issued = await issue(world)
      await pause(300)
      assert.equal(runsOf(issued), '')
      proxy.set({ is: 'open' })
      const from = performance.now()
      await until('the script to run', () => runsOf(issued) !== '')
      assert.ok(performance.now() - from < 18_000)
      letGo(issued)
      await assertWhole(world, issued)
    }))
})
