/** The device's disk is full, or cannot be written. Nothing is begun that is not journalled, and what happened is told later. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { openWorld, type World } from '../end-to-end/fixture.ts'
import { until } from '../end-to-end/program.ts'
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
import { openMounts, type Disk, type Mounts } from './mounts.ts'

const timeout = 60_000
const isAble = needs('root') && needs('cgroup2') && needs('unshare') && needs('nsenter')

describe.skipIf(!isAble)('the device’s disk', { timeout }, () => {
  let mounts: Mounts
  let disk: Disk
  let world: World
  beforeAll(async () => {
    mounts = await openMounts()
    let made: Disk | null = null
    const around = (folder: string): readonly string[] => {
      made ??= mounts.disk(folder, 'agent', 4 * 1024 * 1024)
      disk = made
      return mounts.inside
    }
    world = await openWorld({ around, serverFlags: ['--settle-ms', '200'] })
  }, timeout)
  afterAll(async () => {
    await world.close()
    await mounts.close()
  }, timeout)

  const said = (from: number): string => world.device.program.output().slice(from)

  test.each([
    ['is full', (isSo: boolean) => (isSo ? disk.fill() : disk.empty()), /the disk is full \(ENOSPC/],
    ['is read-only', (isSo: boolean) => disk.readOnly(isSo), /the disk is read-only \(EROFS/],
  ])('%s when a cancel comes: outstanding until it can be journalled, then proven', async (_, set, words) => {
    const from = said(0).length
    const issued = await startWaiting(world)
    set(true)
    try {
      assertOutstanding((await world.api.cancel(issued.id)).action)
      await until('the agent to say so', () => /^this device cannot keep its journal.*$/m.test(said(from)))
      assert.match(said(from), words)
      assertOutstanding(await world.api.action(issued.id))
    } finally {
      set(false)
    }
    await assertStopped(world, issued)
  })

  test('is full when a script ends: its exit status is kept, and told when there is room', async () => {
    const issued = await startWaiting(world)
    disk.fill()
    try {
      letGo(issued)
      await untilGone(issued)
      await pause(500)
      assert.equal((await world.api.action(issued.id)).status, 'InProgress')
    } finally {
      disk.empty()
    }
    await assertWhole(world, issued)
  })

  test('is full when an action is issued: nothing is begun until it can be journalled, and then once', async () => {
    disk.fill()
    const issued = await issue(world)
    try {
      await pause(1_000)
      assert.equal(runsOf(issued), '')
      assert.equal((await world.api.action(issued.id)).status, 'Pending')
    } finally {
      disk.empty()
    }
    await until('the script to run', () => existsSync(join(issued.here, 'runs')))
    letGo(issued)
    await assertWhole(world, issued)
  })

  test('is full when an agent starts: it waits, and takes up what another had begun', async () => {
    const issued = await startWaiting(world)
    disk.fill()
    try {
      await world.device.program.kill()
      const from = said(0).length
      world.device.startAlone()
      await until('the agent to say so', () => /the disk is full/.test(said(from)))
      assertOutstanding((await world.api.cancel(issued.id)).action)
      assert.equal(isAlive(issued), true)
    } finally {
      disk.empty()
    }
    await assertStopped(world, issued)
  })

  test('is read-only when an agent starts: it says so in a sentence and ends, and the next one takes up', async () => {
    const issued = await startWaiting(world)
    await world.device.program.kill()
    const from = said(0).length
    disk.readOnly(true)
    try {
      world.device.startAlone()
      await until('its end', () => said(from).includes('[agent ended'))
    } finally {
      disk.readOnly(false)
    }
    const sentence = `The data folder ${world.device.dataFolder} cannot be written, the disk is read-only`
    assert.equal(said(from).split('\n')[0]?.startsWith(sentence), true, said(from))
    assert.match(said(from), /^[^\n]+\n\[agent ended: 1\]\n$/)
    await world.device.start()
    letGo(issued)
    await assertWhole(world, issued)
  })

  test('has left no trace of all this: every word of it holds', async () => {
    await assertVerified(world)
    const last = await startWaiting(world)
    await world.api.cancel(last.id)
    await assertStopped(world, last)
    assertNothingLives(world, last)
  })
})
