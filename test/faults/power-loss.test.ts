/**
 * The device's power is cut at a step of an action, and its disk has lost the newest file of it, though it had said that it was
 * written; or kept a torn one. Nothing false is said, nothing runs twice, and what cannot be known is said as such.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import {
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { textOf } from '../end-to-end/beats.ts'
import { groupsOf, openWorld, type World } from '../end-to-end/fixture.ts'
import { until } from '../end-to-end/program.ts'
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
  type Issued,
} from './acts.ts'
import { openMounts, type Mounts } from './mounts.ts'

const timeout = 60_000
const isAble = needs('root') && needs('cgroup2') && needs('unshare') && needs('nsenter')

const lastOf = (folder: string): string =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .toSorted()
    .at(-1) ?? ''

describe.skipIf(!isAble)('the power of a device is cut', { timeout }, () => {
  let mounts: Mounts
  let world: World
  let bootId = ''
  let killAt = ''
  /** Flags of the next start only. */
  const flags: string[] = []

  beforeAll(async () => {
    mounts = await openMounts()
    const around = (folder: string): readonly string[] => {
      if (bootId === '') {
        bootId = join(folder, 'boot-id')
        writeFileSync(bootId, `${randomUUID()}\n`)
        mounts.bind(bootId, '/proc/sys/kernel/random/boot_id')
      }
      return [...mounts.inside, 'env', `COUNTERMAND_KILL_AT=${killAt}`]
    }
    world = await openWorld({ around, agentFlags: flags, serverFlags: ['--settle-ms', '200'] })
  }, timeout)
  afterAll(async () => {
    await world.close()
    await mounts.close()
  }, timeout)

  const said = (): string => world.device.program.output()

  async function untilDead(from: number): Promise<void> {
    await until('the agent to die', () => said().slice(from).includes('[agent ended: SIGKILL]'))
  }

  /** The agent begins anew, and dies at this point. */
  async function armed(point: string): Promise<number> {
    await world.device.program.kill()
    killAt = point
    const from = said().length
    await world.device.start()
    killAt = ''
    return from
  }

  /** As far as an agent can tell: its processes and control groups are gone, and the boot id is another. */
  async function cutPower({ id }: Issued): Promise<void> {
    await world.device.program.kill()
    const scope = join(groupsOf(world.device.dataFolder) ?? '', id)
    if (existsSync(scope)) {
      writeFileSync(join(scope, 'cgroup.kill'), '1')
      await until('the end of everything', () => textOf(join(scope, 'cgroup.events')).includes('populated 0'))
      await until('the group to go', () => (rmdirSync(scope), true))
    }
    writeFileSync(bootId, `${randomUUID()}\n`)
  }

  const journalOf = ({ id }: Issued, name: string): string =>
    join(world.device.dataFolder, 'journal', id, `${name}.json`)

  /** The device's state, or the last of its news. A draft that the kill has left beside it is not that. */
  function newest(begin: 'sync-' | 'news-'): string {
    const { dataFolder } = world.device
    const found = readdirSync(dataFolder).filter((name) => name.startsWith(begin) && !name.includes('.tmp-'))
    assert.equal(found.length, 1, found.join())
    const place = join(dataFolder, found[0] ?? '')
    return begin === 'sync-' ? place : join(place, lastOf(place))
  }

  /** A torn file is no work of a crash: the agent says which, and what to do, and guesses nothing. */
  async function assertRefused(file: string): Promise<void> {
    const whole = readFileSync(file)
    truncateSync(file, Math.floor(whole.length / 2))
    const from = said().length
    world.device.startAlone()
    await until('its end', () => said().slice(from).includes('[agent ended: 1]'))
    const last = said().slice(from).trimEnd().split('\n').at(-2) ?? ''
    assert.ok(
      last.startsWith(`${file} is damaged, and nothing is guessed from the rest.`),
      said().slice(from),
    )
    assert.match(last, /remove it, and start once with --enrol TOKEN --again/)
    writeFileSync(file, whole)
  }

  test('once the offer is on disk: lost, it is offered again, and runs once', async () => {
    const from = await armed('offer-journalled')
    const issued = await issue(world)
    await untilDead(from)
    await assertRefused(journalOf(issued, 'offer'))
    await assertRefused(newest('sync-'))
    rmSync(journalOf(issued, 'offer'))
    await world.device.start()
    letGo(issued)
    await assertWhole(world, issued)
  })

  test('once the start is decided: lost, it is decided again, and runs once', async () => {
    const from = await armed('start-decided')
    const issued = await issue(world)
    await untilDead(from)
    await assertRefused(journalOf(issued, 'verdict'))
    rmSync(journalOf(issued, 'verdict'))
    await world.device.start()
    letGo(issued)
    await assertWhole(world, issued)
  })

  test('once it runs: the start lost, it is not begun again, and nobody says that it was not begun', async () => {
    const from = await armed('spawned')
    const issued = await issue(world)
    await untilDead(from)
    await until('the script to run', () => runsOf(issued) === 'ran\n')
    await cutPower(issued)
    rmSync(journalOf(issued, 'verdict'))
    await world.device.start()
    const { status, commands, countermand } = await world.api.untilOver(issued.id)
    assert.deepEqual([status, countermand.proof], ['Failed', null])
    assert.match(commands[0]?.errors.join() ?? '', /without an exit status/)
    assert.equal(runsOf(issued), 'ran\n')
  })

  test('once its start is told: the news lost, it is told again from the journal', async () => {
    const from = await armed('news-written')
    const issued = await issue(world)
    await untilDead(from)
    await assertRefused(newest('news-'))
    rmSync(newest('news-'))
    await cutPower(issued)
    await world.device.start()
    const { status, commands } = await world.api.untilOver(issued.id)
    assert.equal(status, 'Failed')
    assert.match(commands[0]?.errors.join() ?? '', /without an exit status/)
    assert.equal(runsOf(issued), '')
  })

  test('once the cancel is in the journal: lost, it is ordered again, and stops what runs', async () => {
    const from = await armed('cancel-journalled')
    const issued = await startWaiting(world)
    assertOutstanding((await world.api.cancel(issued.id)).action)
    await untilDead(from)
    await assertRefused(journalOf(issued, 'cancel'))
    rmSync(journalOf(issued, 'cancel'))
    await world.device.start()
    await assertStopped(world, issued)
  })

  test.each([false, true])(
    'once the end is in the journal (cancelled: %s): lost, it is found again',
    async (isCancelled) => {
      const from = await armed('outcome-journalled')
      const issued = await startWaiting(world)
      if (isCancelled) assertOutstanding((await world.api.cancel(issued.id)).action)
      else letGo(issued)
      await untilDead(from)
      await untilGone(issued)
      await assertRefused(journalOf(issued, 'outcome'))
      rmSync(journalOf(issued, 'outcome'))
      await cutPower(issued)
      await world.device.start()
      if (isCancelled) await assertStopped(world, issued)
      else await assertWhole(world, issued)
    },
  )

  test('once it runs, and the start is torn: the device does as it is told, and says nothing of what it cannot know', async () => {
    const issued = await startWaiting(world)
    await world.device.program.kill()
    await assertRefused(journalOf(issued, 'verdict'))
    rmSync(join(world.device.dataFolder, 'journal', issued.id), { recursive: true })
    const { machineId } = world.device
    const answer = await world.api.ask('POST', '/api/countermand/enrolmenttokens', { MachineId: machineId })
    const { enrolmentToken }: { enrolmentToken: string } = JSON.parse(await answer.text())
    flags.push('--enrol', enrolmentToken, '--again')
    await world.device.start()
    flags.length = 0

    assert.equal(world.device.machineId, machineId)
    const { status, countermand } = await world.api.untilOver(issued.id)
    assert.deepEqual([status, countermand.effect.state, countermand.proof], ['TimeOut', 'unknown', null])
    letGo(issued)
    await untilGone(issued)
    const next = await startWaiting(world)
    letGo(next)
    await assertWhole(world, next)
  })

  test('all of this has left nothing that does not hold', () => assertVerified(world))
})
