/** The server's folder is put back from a backup, and it is started with COUNTERMAND_RESTORED=1; the device is a real one. */
import assert from 'node:assert/strict'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { openWorld, type World } from '../end-to-end/fixture.ts'
import { until } from '../end-to-end/program.ts'
import { needs } from '../needs.ts'
import {
  assertNothingLives,
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

const timeout = 60_000

const isDatabase = (path: string): boolean => /\/(countermand\.db.*|lock)$/.test(path)

/** Of the server's next start. */
let isRestored = false
const aroundServer = (): readonly string[] => ['env', `COUNTERMAND_RESTORED=${isRestored ? 1 : 0}`]

const isAble = needs('root') && needs('cgroup2')

describe.skipIf(!isAble)('a server is put back from a backup', { timeout }, () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld({ aroundServer, serverFlags: ['--settle-ms', '200'] })
  }, timeout)
  afterAll(() => world.close(), timeout)

  const backup = (): string => join(world.folder, 'backup')

  /** While it runs, as an operator would. */
  function backUp(): void {
    rmSync(backup(), { recursive: true, force: true })
    cpSync(world.dataFolder, backup(), { recursive: true, filter: (path) => !isDatabase(path) })
    const database = new DatabaseSync(join(world.dataFolder, 'countermand.db'), { readOnly: true })
    database.exec(`VACUUM INTO '${join(backup(), 'countermand.db')}'`)
    database.close()
  }

  async function putBack(): Promise<void> {
    await world.server.kill()
    rmSync(world.dataFolder, { recursive: true })
    cpSync(backup(), world.dataFolder, { recursive: true })
    isRestored = true
    await world.startServer()
    isRestored = false
  }

  async function assertGoesOn(): Promise<void> {
    const issued = await startWaiting(world)
    letGo(issued)
    await assertWhole(world, issued)
    const taken = await startWaiting(world)
    await world.api.cancel(taken.id)
    await assertStopped(world, taken)
    await assertVerified(world, { flags: ['--restored'] })
  }

  test('to before an action that has ended since: the device tells it again, and does not run it again', async () => {
    world.device.program.signal('SIGSTOP')
    const issued = await issue(world)
    backUp()
    world.device.program.signal('SIGCONT')
    await until('the script to run', () => runsOf(issued) !== '')
    letGo(issued)
    await assertWhole(world, issued)

    await putBack()
    const { status, countermand } = await world.api.untilOver(issued.id)
    assert.deepEqual([status, countermand.proof], ['Succeeded', null])
    assert.equal(runsOf(issued), 'ran\n')
    await assertGoesOn()
  })

  test('to before a cancel that was proven since: it is not run again, and a new cancel gets the same proof', async () => {
    const issued = await startWaiting(world)
    backUp()
    await world.api.cancel(issued.id, 'before the fall')
    await assertStopped(world, issued)

    await putBack()
    // Taken from the device's word, or asked for again: Cancelled either way, and with its proof.
    if ((await world.api.action(issued.id)).status !== 'Cancelled') await world.api.cancel(issued.id, 'again')
    await assertStopped(world, issued)
    assert.equal(runsOf(issued), 'ran\n')
  })

  test('while an action runs that it knows: it is heard to its end', async () => {
    const issued = await startWaiting(world)
    backUp()
    await putBack()
    assert.equal(isAlive(issued), true)
    letGo(issued)
    await assertWhole(world, issued)
  })

  test('to before an action that runs now: it is nobody’s any more, ends by itself, and everything else goes on', async () => {
    backUp()
    const issued = await startWaiting(world)
    await putBack()
    await assert.rejects(world.api.action(issued.id), /404/)
    // The slot of its type is free at the server; the device does both.
    const other = await startWaiting(world)
    letGo(issued)
    await untilGone(issued)
    letGo(other)
    await assertWhole(world, other)
    assert.equal(runsOf(issued), 'ran\n')
    assertNothingLives(world, issued)
    await assertGoesOn()
  })
})
