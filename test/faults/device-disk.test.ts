/** The device's disk is full, or cannot be written. Nothing is begun that is not journalled, and what happened is told later. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
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
      made ??= mounts.disk(folder, 'agent', 10 * 1024 * 1024)
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

  test('is full in the midst of a file that comes: once there is room it is what was asked for, to the last byte', async () => {
    // A script is read line by line: one that were torn in the middle would not come to its end.
    const numbers = Array.from({ length: 200_000 }, (_, n) => `# ${n} is the number of this line\n`)
    const script = `#!/bin/sh\necho begun\n${numbers.join('')}cksum <"$0"\n`
    const ballast = join(world.device.dataFolder, 'ballast')
    writeFileSync(ballast, Buffer.alloc(7_000_000))
    const { id } = await world.api.run(world.device.machineId, script)
    const draft = join(world.device.dataFolder, 'journal', id, 'files')
    await until('the file to have begun', () => existsSync(draft) && readdirSync(draft).length > 0)
    await pause(2_000)
    rmSync(ballast)
    const { status } = await world.api.untilOver(id)
    assert.equal(status, 'Succeeded')
    const sum = execFileSync('cksum', { input: script, encoding: 'utf8' })
    assert.equal((await world.api.result(id)).script_output, `begun\n${sum}`)
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
