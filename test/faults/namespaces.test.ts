/** The network between a device and its server as the kernel cuts, loses and slows it, between two namespaces of their own. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest'
import type { MachineAction, Phase } from '@countermand/contract'
import { dice, numbers, seed } from '../../packages/server/src/testing/dice.ts'
import { isOver } from '../end-to-end/api.ts'
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
  type Issued,
} from './acts.ts'
import { openCable, type Cable } from './network-namespace.ts'

const timeout = 180_000
const isAble = (['root', 'cgroup2', 'unshare', 'nsenter', 'ip', 'tc', 'nft'] as const).every(needs)

const bytesPerSecond = 200_000
/** As much as is kept of each stream, and no line twice. */
const longOutput = 1024 * 1024
const outputScript = `#!/bin/sh
seq 1000000 2000000 | head -c ${longOutput}
seq 3000000 4000000 | head -c ${longOutput} >&2
`
const linesFrom = (first: number): string =>
  numbers(longOutput / 8)
    .map((n) => `${first + n}\n`)
    .join('')
/** Says that it runs, as the others do. */
const longScript = `#!/bin/sh\necho ran >>"$1/runs"\n#${'x'.repeat(4_000_000)}\n`

const isIn =
  (phase: Phase) =>
  ({ countermand }: MachineAction): boolean =>
    countermand.phase === phase

describe.skipIf(!isAble)('the cable', { timeout }, () => {
  let cable: Cable
  let world: World
  beforeAll(async () => {
    cable = await openCable()
    world = await openWorld({
      address: cable,
      around: () => cable.at.device,
      aroundServer: () => cable.at.server,
      serverFlags: ['--settle-ms', '300', '--public-url', `http://${cable.listen}`],
    })
  }, timeout)
  afterEach(() => cable.mend())
  afterAll(async () => {
    await world?.close()
    await cable?.close()
  }, timeout)

  const faults: [string, (here: Cable) => void][] = [
    ['is out at the server', (here) => here.unplug('server')],
    ['is out at the device', (here) => here.unplug('device')],
    ['loses everything in silence', (here) => here.lose('')],
    ['loses everything to the device', (here) => here.lose('', ['device'])],
  ]
  test.each(faults)(
    '%s while a script runs and a cancel comes: stopped when it is mended',
    async (_, cut) => {
      const issued = await startWaiting(world)
      cut(cable)
      assertOutstanding((await world.api.cancel(issued.id)).action)
      await pause(2_000)
      assert.equal(isAlive(issued), true, 'gone before anybody could be told')
      assertOutstanding(await world.api.action(issued.id))
      cable.mend()
      await assertStopped(world, issued)
      assert.equal(runsOf(issued), 'ran\n', `ran ${JSON.stringify(runsOf(issued))}`)
    },
  )

  test('loses an offer on its way, is out when the cancel comes, and is mended: kept from starting, or stopped', async () => {
    const first = await startWaiting(world)
    letGo(first)
    await assertWhole(world, first)
    // Nothing of it is left to be said: what is lost now is the reply with the offer, and not one before it.
    const journal = join(world.device.dataFolder, 'journal', first.id)
    await until('the first to be forgotten', () => !existsSync(journal))
    await pause(1_000)
    // A reply is longer, an acknowledgement or a wake-up shorter.
    cable.lose('meta length > 200', ['device'])
    const issued = await issue(world)
    await world.api.untilAction(issued.id, 'offered', isIn('offered'))
    await until('the reply to be lost', () => cable.lost() > 0)
    cable.unplug('device')
    assertOutstanding((await world.api.cancel(issued.id)).action)
    await pause(1_000)
    assertOutstanding(await world.api.action(issued.id))
    cable.mend()
    await assertCancelled(issued)
  })

  test('loses one packet in five, both ways: of four scripts half are cancelled, and all end once, and truly', async () => {
    // What is lost is the kernel's choice; when a cancel comes is ours.
    console.log(`namespaces: COUNTERMAND_SEED=${seed}`)
    const roll = dice(seed)
    cable.lose('numgen random mod 5 < 1')
    for (const n of numbers(4)) {
      const issued = await issue(world)
      await pause(roll(2_500))
      if (n % 2 === 0) await world.api.cancel(issued.id)
      else letGo(issued)
      const over = async (): Promise<boolean> => isOver(await world.api.action(issued.id))
      await until(`the end of ${issued.id}`, over, { withinMs: 90_000 })
      if (n % 2 === 0) await assertCancelled(issued)
      else await assertWhole(world, issued)
    }
    assert.ok(cable.lost() > 0)
    cable.mend()
    await assertVerified(world)
  })

  test('is slow, 200 kB a second, when 2 MB of output are brought: they arrive whole, and a cancel meanwhile is too late', async () => {
    cable.slow(bytesPerSecond)
    const from = performance.now()
    const { id } = await world.api.run(world.device.machineId, outputScript)
    await world.api.untilAction(id, 'its output on the way', isIn('settling'))
    assertOutstanding((await world.api.cancel(id)).action)
    const { status, countermand } = await world.api.untilOver(id)
    assert.deepEqual([status, countermand.cancel?.state], ['Succeeded', 'too_late'])
    assert.ok(performance.now() - from > (longOutput * 2 * 1_000) / bytesPerSecond)
    const result = await world.api.result(id)
    assert.deepEqual([result.exit_code, result.countermand.outputTruncated], [0, false])
    assert.ok(result.script_output === linesFrom(1_000_000))
    assert.ok(result.script_errors === linesFrom(3_000_000))
    await assertVerified(world)
  })

  test('is slow when a script of 4 MB is brought, and a cancel comes meanwhile: it never runs', async () => {
    cable.slow(bytesPerSecond)
    const word = `word-${performance.now()}`
    const here = world.scratch(word)
    const { id } = await world.api.run(world.device.machineId, longScript, `${here} ${word}`)
    await world.api.untilAction(id, 'its offer on the way', isIn('offered'))
    await pause(1_000)
    await world.api.cancel(id)
    await assertCancelled({ id, here, word })
    const { proof } = (await world.api.action(id)).countermand
    assert.ok(['not_received', 'refused_start'].includes(proof ?? ''), `${proof}`)
  })

  /** Nobody has let it go: it can only have been stopped, or kept from starting, and its proof says which. */
  async function assertCancelled(issued: Issued): Promise<void> {
    const { status, countermand } = await world.api.untilOver(issued.id)
    const told = `${status} ${countermand.proof} ran ${runsOf(issued)}`
    assert.equal(status, 'Cancelled', told)
    assert.notEqual(countermand.proof, null)
    assert.ok(['', ...(countermand.proof === 'stopped' ? ['ran\n'] : [])].includes(runsOf(issued)), told)
    assertNothingLives(world, issued)
  }
})
