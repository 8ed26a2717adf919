/** A device whose folder is older than what its server has heard, or is there twice. It is found out, and never lies about a cancel. */
import assert from 'node:assert/strict'
import { cpSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { agentMain, endScopes, openWorld, type World } from '../end-to-end/fixture.ts'
import { openProgram, until } from '../end-to-end/program.ts'
import { needs } from '../needs.ts'
import {
  assertNothingLives,
  assertOutstanding,
  assertWhole,
  isAlive,
  issue,
  letGo,
  runsOf,
  startWaiting,
  untilGone,
  type Issued,
} from './acts.ts'

const timeout = 60_000

const isState = (name: string): boolean => /^sync-.*\.json$/.test(name)

describe.skipIf(!needs('root') || !needs('cgroup2'))('a device', { timeout }, () => {
  let world: World
  /** Flags of the agent's next start. */
  const flags: string[] = []
  beforeAll(async () => {
    world = await openWorld({ agentFlags: flags, serverFlags: ['--settle-ms', '200'] })
  }, timeout)
  afterAll(() => world.close(), timeout)

  const snapshot = (): string => join(world.folder, 'snapshot')
  const said = (): string => world.device.program.output()
  const alarms = (): number => world.server.output().split('"kind":"device.cloned"').length - 1

  /** The folder of a device that lives, between two statements: one that is under way would give the copy away by itself. */
  async function copyTo(copy: string): Promise<void> {
    const { dataFolder } = world.device
    // The one written last: those of former keys stay beside it.
    const written = (name: string): number => statSync(join(dataFolder, name)).mtimeMs
    const states = readdirSync(dataFolder).filter(isState)
    const [latest = ''] = states.toSorted((a, b) => written(b) - written(a))
    const read = (): string => readFileSync(join(dataFolder, latest), 'utf8')
    await until('the device to be quiet', async () => {
      const before = read()
      await pause(300)
      return before === read() && !before.includes('"jws"')
    })
    cpSync(dataFolder, copy, { recursive: true, filter: (path) => !path.endsWith('/lock') })
  }

  async function untilFoundOut(from: number): Promise<void> {
    await until('the device to say so', () =>
      /^this device must enrol again, try 1: /m.test(said().slice(from)),
    )
  }

  /** With a token for this device, or, where none names it, because its former key vouches for the new one. */
  async function enrolAgain(): Promise<void> {
    const before = world.device.machineId
    await world.device.program.kill()
    flags.push('--enrol', await world.api.enrolmentToken(), '--again')
    await world.device.start()
    flags.length = 0
    assert.equal(world.device.machineId, before)
  }

  /** Rule 21: what the server has heard of it is not denied, and what it cannot know it does not say. */
  async function assertGivenUp({ id }: Issued): Promise<void> {
    const { status, countermand, cancellationDateTimeUtc } = await world.api.untilOver(id)
    const { reason, effect, proof } = countermand
    assert.deepEqual([status, reason, proof], ['TimeOut', 'device_reenrolled', null])
    // The new incarnation may have told by now that it had begun.
    assert.ok(['unknown', 'applied'].includes(effect.state), effect.state)
    assert.equal(cancellationDateTimeUtc, null)
  }

  /** Whatever was made of it, Cancelled is said only where it is so: both use this host. */
  async function assertHonest(issued: Issued): Promise<void> {
    const action = await world.api.action(issued.id)
    if (action.status !== 'Cancelled') return assertOutstanding(action)
    assertNothingLives(world, issued)
    if (action.countermand.proof !== 'stopped') assert.equal(runsOf(issued), '')
  }

  async function assertWellAgain(): Promise<void> {
    const issued = await startWaiting(world)
    letGo(issued)
    await assertWhole(world, issued)
  }

  test('that has lost the number of its last statement says that it must enrol again, and comes back with its id', async () => {
    const issued = await startWaiting(world)
    await world.device.program.kill()
    const { dataFolder } = world.device
    for (const name of readdirSync(dataFolder)) if (name.startsWith('sync-')) rmSync(join(dataFolder, name))
    const [from, before] = [said().length, alarms()]
    world.device.startAlone()
    await untilFoundOut(from)
    assert.equal(alarms(), before + 1)
    assertOutstanding((await world.api.cancel(issued.id)).action)

    await enrolAgain()
    await assertGivenUp(issued)
    // The cancel outlives the key: it was never delivered, and the device still holds what it is about.
    await untilGone(issued)
    await assertWellAgain()
  })

  test('that was put back from a snapshot is found out; what it had done since stays as it was told', async () => {
    // With nothing unanswered: else it would be the device that finds out, and not its server.
    await world.device.program.leave()
    cpSync(world.device.dataFolder, snapshot(), { recursive: true })
    await world.device.start()
    const done = await startWaiting(world)
    letGo(done)
    await assertWhole(world, done)
    const open = await startWaiting(world)
    await world.device.program.kill()
    assertOutstanding((await world.api.cancel(open.id)).action)

    rmSync(world.device.dataFolder, { recursive: true })
    cpSync(snapshot(), world.device.dataFolder, { recursive: true })
    const [from, before] = [said().length, alarms()]
    world.device.startAlone()
    await untilFoundOut(from)
    assert.equal(alarms(), before + 1)
    assertOutstanding(await world.api.action(open.id))
    // The journal of the snapshot does not know it: it runs on, and nobody says otherwise.
    assert.equal(isAlive(open), true)

    await enrolAgain()
    await assertGivenUp(open)
    await assertWhole(world, done)
    letGo(open)
    await untilGone(open)
    await assertWellAgain()
    assert.equal(runsOf(open), 'ran\n')
  })

  test('that is there twice while a script runs is found out once both have spoken; neither calls it stopped while it lives', async () => {
    const running = await startWaiting(world)
    // Its last line has been shown, so that the device has nothing to say by itself.
    await world.api.untilAction(
      running.id,
      'shown',
      ({ countermand }) => countermand.progress?.line === 'before',
    )
    const copy = join(world.folder, 'copy')
    await copyTo(copy)
    const env = { PATH: process.env.PATH ?? '', HOME: '/root' }
    const twin = openProgram('twin', () => [process.execPath, agentMain, '--data', copy], env)
    const [from, before] = [said().length, alarms()]
    try {
      twin.start()
      await until('the twin to be heard', () => /^connected/m.test(twin.output()))
      await world.api.cancel(running.id)
      await assertHonest(running)
      await until('one of them to know', () => /must enrol again/.test(twin.output() + said().slice(from)))
      assert.equal(alarms(), before + 1)
      await pause(500)
      await assertHonest(running)
    } finally {
      await twin.kill()
      endScopes(copy)
    }
    letGo(running)
    await enrolAgain()
    await world.api.untilOver(running.id)
    await assertWellAgain()
  })

  test('that is there twice while nothing runs is found out at the next action, which is begun once at most', async () => {
    const copy = join(world.folder, 'idle-copy')
    await copyTo(copy)
    const env = { PATH: process.env.PATH ?? '', HOME: '/root' }
    const twin = openProgram('twin', () => [process.execPath, agentMain, '--data', copy], env)
    const [from, before] = [said().length, alarms()]
    try {
      twin.start()
      await until('the twin to be heard', () => /^connected/m.test(twin.output()))
      // Both are woken for it: one of them is taken for the device, and the other finds them out.
      const issued = await issue(world)
      await until('one of them to know', () => /must enrol again/.test(twin.output() + said().slice(from)))
      assert.equal(alarms(), before + 1)
      await world.api.cancel(issued.id)
      await assertHonest(issued)
      await pause(1_000)
      await assertHonest(issued)
      assert.ok(['', 'ran\n'].includes(runsOf(issued)), 'it was begun by one of them, or by none')
      await twin.kill()
      letGo(issued)
      await enrolAgain()
      const { status } = await world.api.untilOver(issued.id)
      if (status !== 'Cancelled') await assertGivenUp(issued)
    } finally {
      await twin.kill()
      endScopes(copy)
    }
    await assertWellAgain()
  })
})
