/** Somebody sets the server's clock. Limits of time say what they say; nothing else depends on which time came first. */
import assert from 'node:assert/strict'
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { openApi } from '../end-to-end/api.ts'
import { agentMain, endScopes, openWorld, type World } from '../end-to-end/fixture.ts'
import { openProgram, until } from '../end-to-end/program.ts'
import { needs } from '../needs.ts'
import {
  assertOutstanding,
  assertStopped,
  assertVerified,
  assertWhole,
  issue,
  letGo,
  runsOf,
  startWaiting,
  untilGone,
} from './acts.ts'

const timeout = 60_000
const minute = 60_000
const day = 24 * 60 * minute
const preload = pathToFileURL(join(import.meta.dirname, 'shifted-clock.ts')).href

/** The server's clock is what a file says. */
function aroundServer(folder: string): readonly string[] {
  const file = join(folder, 'clock')
  if (!existsSync(file)) writeFileSync(file, '0')
  return ['env', `NODE_OPTIONS=--import=${preload}`, `COUNTERMAND_TEST_CLOCK=${file}`]
}

describe.skipIf(!needs('root') || !needs('cgroup2'))('the server’s clock', { timeout }, () => {
  let world: World
  beforeAll(async () => {
    const limits = ['--limits', 'read=-/-,cancel=1/-,respond=-/-,liveResponse=-/-,library=-/-']
    world = await openWorld({ aroundServer, serverFlags: ['--settle-ms', '300', ...limits] })
  }, timeout)
  afterAll(() => world.close(), timeout)

  /** Off by this much from now on, as a whole. */
  async function set(offMs: number): Promise<void> {
    const file = join(world.folder, 'clock')
    writeFileSync(`${file}.next`, String(offMs))
    renameSync(`${file}.next`, file)
    // A second for the timers to see it, in which they could do wrong.
    await pause(1_500)
  }

  /** As every client does when its token is refused. */
  async function signInAgain(): Promise<void> {
    world = { ...world, api: await openApi(world.dataFolder) }
  }

  /** A device that comes with this token is told why it cannot. */
  async function assertExpired(token: string): Promise<void> {
    const flags = ['--data', join(world.folder, 'latecomer'), '--enrol', token]
    const env = { PATH: process.env.PATH ?? '' }
    const latecomer = openProgram('latecomer', () => [process.execPath, agentMain, ...flags], env)
    latecomer.start()
    await until('its end', () => latecomer.output().includes('[latecomer ended: 1]'))
    assert.match(latecomer.output(), /the token has expired; ask for a new one/)
    endScopes(join(world.folder, 'latecomer'))
  }

  const statusOf = async (path: string): Promise<number> => (await world.api.ask('GET', path)).status

  test('is set forward by a day: what is under way goes on, tokens and links are over, and new ones are good', async () => {
    const done = await startWaiting(world)
    letGo(done)
    await assertWhole(world, done)
    const path = `/api/machineactions/${done.id}/GetLiveResponseResultDownloadLink(index=0)`
    const link: { value: string } = JSON.parse(await (await world.api.ask('GET', path)).text())
    const spare = await world.api.enrolmentToken()
    const running = await startWaiting(world)
    world.device.program.signal('SIGSTOP')
    assertOutstanding((await world.api.cancel(running.id)).action)

    await set(day)
    assert.equal(await statusOf(`/api/machineactions/${running.id}`), 401)
    await signInAgain()
    assertOutstanding(await world.api.action(running.id))
    assert.equal((await fetch(link.value)).status, 403)
    assert.equal((await world.api.result(done.id)).exit_code, 5)
    await assertExpired(spare)

    world.device.program.signal('SIGCONT')
    await assertStopped(world, running)
    // The device's ticket is over: it gets another, and with it the script and the way for its result.
    const next = await startWaiting(world)
    letGo(next)
    await assertWhole(world, next)
  })

  test('is set back by two days: nothing is refused for it, nothing expires, and cancels are proven', async () => {
    const queued = await startWaiting(world)
    await set(-day)
    // Signed tomorrow: some would call that not yet valid. Known to this server it holds; a new one does in any case.
    assert.ok([200, 401].includes(await statusOf(`/api/machineactions/${queued.id}`)))
    await signInAgain()
    letGo(queued)
    await assertWhole(world, queued)
    // One a minute, and the last lies in the future now.
    const running = await startWaiting(world)
    const { status } = await world.api.cancel(running.id)
    assert.equal(status, 200)
    await assertStopped(world, running)
    const { creationDateTimeUtc, cancellationDateTimeUtc } = await world.api.action(running.id)
    assert.ok((cancellationDateTimeUtc ?? '') >= creationDateTimeUtc)
  })

  test('is set forward by four days: what nobody took is given up by the rule, and nothing else is', async () => {
    world.device.program.signal('SIGSTOP')
    const untaken = await issue(world)
    await set(-day + 4 * day)
    await signInAgain()
    const { status, countermand } = await world.api.untilOver(untaken.id)
    const { reason, effect } = countermand
    assert.deepEqual([status, reason, effect.state], ['TimeOut', 'not_after_passed', 'none'])
    world.device.program.signal('SIGCONT')
    const next = await startWaiting(world)
    letGo(next)
    await assertWhole(world, next)
    assert.equal(runsOf(untaken), '')
  })

  test('runs away while a script runs, and comes back: late, and said to be late', async () => {
    const running = await startWaiting(world)
    world.device.program.signal('SIGSTOP')
    await set(10 * day)
    await signInAgain()
    const { status, countermand } = await world.api.untilOver(running.id)
    assert.deepEqual(
      [status, countermand.reason, countermand.effect.state],
      ['TimeOut', 'run_limit', 'unknown'],
    )
    await set(0)
    await signInAgain()
    world.device.program.signal('SIGCONT')
    letGo(running)
    await untilGone(running)
    await until('the late word', async () => (await world.api.action(running.id)).countermand.lateOutcome)
    const late = await world.api.action(running.id)
    assert.deepEqual([late.status, late.countermand.lateOutcome], ['TimeOut', 'succeeded'])
  })

  test('has left the events in one chain, whatever times they bear', async () => {
    await assertVerified(world)
    const last = await startWaiting(world)
    letGo(last)
    await assertWhole(world, last)
  })
})
