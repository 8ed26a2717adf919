/** What else may happen to a host that is isolated: its clock is set, it boots anew, it is offboarded. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, test } from 'vitest'
import { agentMain, groupsOf, processesWith } from '../end-to-end/fixture.ts'
import { until } from '../end-to-end/program.ts'
import { assertVerified, startWaiting } from '../faults/acts.ts'
import { openMounts, type Mounts } from '../faults/mounts.ts'
import { needs } from '../needs.ts'
import { hasItsTurn } from '../turns.ts'
import { openStage, type Stage } from './stage.ts'

const timeout = 120_000
const isAble = (['root', 'unshare', 'nsenter', 'ip', 'nft', 'cgroup2'] as const).every(needs)
const preload = pathToFileURL(join(import.meta.dirname, '../faults/shifted-clock.ts')).href
const dayMs = 24 * 60 * 60_000
const bootFile = '/proc/sys/kernel/random/boot_id'

interface Candidate {
  readonly appliedAt: { bootId: string; bootSeconds: number } | null
}

describe.skipIf(!isAble)('a host that is isolated', { timeout }, () => {
  const own = mkdtempSync(join(tmpdir(), 'countermand-host-'))
  const [clock, boot] = [join(own, 'clock'), join(own, 'boot')]
  let mounts: Mounts
  let stage: Stage
  beforeAll(async () => {
    writeFileSync(clock, '0')
    writeFileSync(boot, readFileSync(bootFile))
    mounts = await openMounts()
    mounts.bind(boot, bootFile)
    stage = await openStage({ inside: mounts.inside })
    stage.environ('device', `NODE_OPTIONS=--import=${preload}`, `COUNTERMAND_TEST_CLOCK=${clock}`)
    await stage.world.device.program.kill()
  }, timeout)
  afterAll(async () => {
    await stage?.close()
    await mounts?.close()
    rmSync(own, { recursive: true, force: true })
  }, timeout)

  beforeEach(async () => {
    stage.cable.mend()
    writeFileSync(clock, '0')
    await stage.up()
    if (stage.isBarred()) await over(await stage.issue('unisolate'))
  }, timeout)
  afterEach(() => assertVerified(stage.world), timeout)

  const over = async (id: string): Promise<string> => (await stage.world.api.untilOver(id)).status
  const isolated = async (): Promise<void> => {
    assert.equal(await over(await stage.issue('isolate')), 'Succeeded')
    assert.ok(stage.isBarred())
  }
  /** Of the host, from one moment to the next. */
  const setBack = async (): Promise<void> => {
    writeFileSync(clock, String(-dayMs))
    await pause(100)
  }
  const postureFile = (): string => join(stage.world.device.dataFolder, 'posture-isolation.json')
  const candidate = (): Candidate => {
    const { candidate: found }: { candidate: Candidate | null } = JSON.parse(
      readFileSync(postureFile(), 'utf8'),
    )
    assert.ok(found)
    return found
  }

  /** It is made so and not confirmed: its agent runs, and the server cannot be reached. */
  const unconfirmed = async (): Promise<string> => {
    await stage.world.device.program.kill()
    const id = await stage.issue('isolate')
    await stage.dieAt('isolation-applied:2')
    stage.cable.lose('')
    stage.world.device.startAlone()
    await until('its minute to run', () => stage.isBarred() && candidate().appliedAt !== null)
    return id
  }
  /** So many seconds of its minute are over. */
  const spend = async (seconds: number): Promise<void> => {
    await stage.world.device.program.kill()
    const state = JSON.parse(readFileSync(postureFile(), 'utf8')) as { candidate: Candidate }
    assert.ok(state.candidate.appliedAt)
    state.candidate.appliedAt.bootSeconds -= seconds
    writeFileSync(postureFile(), JSON.stringify(state))
  }
  /** Nothing of the former boot is left: no rules, no processes, no groups. */
  const reboot = async (): Promise<void> => {
    const { device } = stage.world
    await device.program.kill()
    stage.nft('flush ruleset')
    const groups = groupsOf(device.dataFolder) ?? ''
    for (const name of existsSync(groups) ? readdirSync(groups) : []) {
      const kill = join(groups, name, 'cgroup.kill')
      if (existsSync(kill)) writeFileSync(kill, '1')
    }
    writeFileSync(boot, `${randomUUID()}\n`)
  }

  describe('and whose clock is set back by a day', () => {
    test.runIf(hasItsTurn(1, 5))('before: is isolated and released as ever', async () => {
      await setBack()
      await isolated()
      assert.equal(await over(await stage.issue('unisolate')), 'Succeeded')
      assert.equal(stage.isBarred(), false)
    })

    test.runIf(hasItsTurn(2, 5))(
      'while it waits to be confirmed: is confirmed by the next contact',
      async () => {
        const id = await unconfirmed()
        await setBack()
        stage.cable.mend()
        assert.equal(await over(id), 'Succeeded')
        assert.ok(stage.isBarred())
      },
    )

    test.runIf(hasItsTurn(3, 5))(
      'while it waits to be confirmed, in vain: goes back when its minute is over',
      async () => {
        const id = await unconfirmed()
        await setBack()
        await spend(50)
        stage.world.device.startAlone()
        await until('the host to be put back', () => !stage.isBarred(), { withinMs: 20_000 })
        stage.cable.mend()
        assert.equal(await over(id), 'Failed')
        // A reply that had been on its way may have asked for it once more.
        await until('the host to be free', () => !stage.isBarred())
      },
    )

    test.runIf(hasItsTurn(4, 5))(
      'after: stands, is put back when somebody removes it, and is released',
      async () => {
        await isolated()
        await setBack()
        stage.nft('flush ruleset')
        await until('the table to be back', () => stage.isBarred())
        assert.equal(await over(await stage.issue('unisolate')), 'Succeeded')
        assert.equal(stage.isBarred(), false)
      },
    )
  })

  describe('and boots anew', () => {
    test.runIf(hasItsTurn(5, 5))('has its rules back from the disk before anything is said', async () => {
      await isolated()
      await reboot()
      assert.equal(stage.isBarred(), false)
      stage.cable.lose('')
      const { lastSeen } = await stage.machine()
      stage.world.device.startAlone()
      await until('the barrier', () => stage.isBarred())
      assert.equal((await stage.machine()).lastSeen, lastSeen)
    })

    test.runIf(hasItsTurn(6, 5))(
      'unconfirmed: its minute begins anew, and the next contact confirms it',
      async () => {
        // On the same boot it would go back at once.
        const id = await unconfirmed()
        await spend(61)
        await reboot()
        stage.world.device.startAlone()
        await until('the barrier', () => stage.isBarred())
        const bootId = readFileSync(boot, 'utf8').trim()
        const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
        const applied = await until('the time to run', () => {
          const { appliedAt } = candidate()
          return appliedAt?.bootId === bootId && appliedAt
        })
        assert.ok(uptime - applied.bootSeconds < 30, `${uptime} ${applied.bootSeconds}`)
        stage.cable.mend()
        assert.equal(await over(id), 'Succeeded')
        assert.ok(stage.isBarred())
      },
    )

    test.runIf(hasItsTurn(7, 5))('while a script runs: that was interrupted, and is said to be', async () => {
      await isolated()
      const script = await startWaiting(stage.world)
      await reboot()
      await until('the script to be gone', () => processesWith(`\0${script.word}\0`).length === 0)
      await stage.up()
      const { status, commands } = await stage.world.api.untilOver(script.id)
      assert.equal(status, 'Failed')
      assert.match(commands[0]?.errors.join() ?? '', /without an exit status: .*its host went down/)
      assert.ok(stage.isBarred())
    })
  })

  // The last: nobody is there after it.
  describe('and is offboarded', () => {
    test.runIf(hasItsTurn(8, 5))(
      'and that is cancelled before the commit point: stands isolated again, and says reverted',
      async () => {
        await isolated()
        await stage.world.device.program.kill()
        const id = await stage.issue('offboard')
        await stage.dieAt('postures-off')
        assert.equal(stage.isBarred(), false)
        await stage.world.api.cancel(id)
        await stage.up()
        const { status, countermand } = await stage.world.api.untilOver(id)
        assert.deepEqual([status, countermand.proof], ['Cancelled', 'reverted'])
        assert.ok(stage.isBarred())
        assert.equal((await stage.machine()).countermand.isolation.state, 'Isolated')
      },
    )

    test.runIf(hasItsTurn(9, 5))(
      'is free, whatever is put back at the next boot, and comes back free',
      async () => {
        await isolated()
        const { program, dataFolder } = stage.world.device
        const id = await stage.issue('offboard')
        await program.gone()
        assert.equal(await over(id), 'Succeeded')
        assert.equal(stage.isBarred(), false)
        const [file = '', ...inside] = stage.cable.at.device
        execFileSync(file, [...inside, process.execPath, agentMain, 'restore', '--data', dataFolder])
        assert.equal(stage.isBarred(), false)
        await stage.world.enrolAgain()
        assert.equal((await stage.machine()).countermand.isolation.state, 'NotIsolated')
        await isolated()
      },
    )
  })
})
