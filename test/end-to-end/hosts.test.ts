/** Hosts that are not as one would like: without control groups, just rebooted, or only pretended. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { needs } from '../needs.ts'
import { isRunning } from './api.ts'
import { beatsIn, nanoseconds, textOf } from './beats.ts'
import { groupsOf, openWorld, processesWith, withWorld, type World } from './fixture.ts'
import { until } from './program.ts'

const timeout = 90_000
const isAble = needs('root') && needs('cgroup2') && needs('unshare')

/** In a mount namespace of its own, after some preparation that nobody else sees. */
const inOwnMounts = (preparation: string): readonly string[] => [
  'unshare',
  '--mount',
  '/bin/sh',
  '-c',
  `${preparation} && exec "$@"`,
  'sh',
]

const unmountGroups = `sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \\([^ ]*\\) .* - cgroup2 .*/\\1/p' /proc/self/mountinfo |
  while read -r mount; do umount "$mount"; done`

/** Descendants that can be found without control groups: the mark, the session or the parent is left to each. */
const findableScript = `#!/bin/sh
cat >"$1/beat" <<'END'
while [ -d "$2" ]; do echo "$1 $(date -u +%Y-%m-%dT%H:%M:%S.%NZ)" >>"$2/beats"; sleep 0.1; done
END
beat="/bin/sh $1/beat"
(trap '' TERM HUP INT; exec $beat deaf "$1" "$2") &
setsid $beat session "$1" "$2" &
(setsid /bin/sh -c "$beat twice '$1' '$2' &" &)
env -i $beat bare "$1" "$2" &
exec $beat script "$1" "$2"
`
const names = ['deaf', 'session', 'twice', 'bare', 'script']

describe.skipIf(!isAble)('a host without cgroup v2', { timeout }, () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld({ around: () => inOwnMounts(unmountGroups) })
  }, timeout)
  afterAll(() => world.close(), timeout)

  async function startFindable(word: string): Promise<{ id: string; here: string }> {
    const here = world.scratch(word)
    const { id } = await world.api.run(world.device.machineId, findableScript, `${here} ${word}`)
    await until('all to beat', () => names.every((name) => beatsIn(here).some((beat) => beat.name === name)))
    return { id, here }
  }

  test('says at the start that it is weaker, and why', () => {
    const [first = ''] = world.device.program.output().split('\n')
    assert.match(first, /^Weaker: no cgroups are used here \(.+\)/)
    assert.match(first, /never called proven/)
  })

  test('takes a script back, and never claims more than `swept`', async () => {
    const { id, here } = await startFindable('sweepable')
    await world.api.cancel(id)
    const { status, countermand, cancellationDateTimeUtc } = await world.api.untilOver(id)
    const beats = beatsIn(here)
    await pause(500)

    assert.deepEqual([status, countermand.proof], ['Cancelled', 'swept'])
    assert.deepEqual(processesWith('sweepable'), [])
    const cancelledAt = nanoseconds(cancellationDateTimeUtc ?? '')
    assert.ok(beats.every(({ at }) => at <= cancelledAt))
    assert.deepEqual(beatsIn(here), beats)
  })

  test('still takes it back when the agent was killed meanwhile', async () => {
    const { id, here } = await startFindable('orphaned')
    await world.device.program.kill()
    await world.api.cancel(id)
    await world.device.start()
    const { status, countermand } = await world.api.untilOver(id)
    const beats = beatsIn(here)
    await pause(500)

    assert.deepEqual([status, countermand.proof], ['Cancelled', 'swept'])
    assert.deepEqual(processesWith('orphaned'), [])
    assert.deepEqual(beatsIn(here), beats)
  })

  test('runs scripts to their end all the same', async () => {
    const { id } = await world.api.run(world.device.machineId, 'echo out; exit 3')
    assert.equal((await world.api.untilOver(id)).status, 'Succeeded')
    const result = await world.api.result(id)
    assert.deepEqual([result.exit_code, result.script_output], [3, 'out\n'])
    assert.deepEqual(result.countermand.leftRunning, [])
  })
})

/** The agent sees the boot id that stands in the folder, as it would after a reboot. */
const withBootId = (folder: string): readonly string[] => {
  const file = join(folder, 'boot-id')
  if (!existsSync(file)) writeFileSync(file, readFileSync('/proc/sys/kernel/random/boot_id'))
  return inOwnMounts(`mount --bind ${file} /proc/sys/kernel/random/boot_id`)
}

const lastingScript = `#!/bin/sh
echo ran >>"$1/runs"
while [ -d "$1" ]; do sleep 0.05; done
`

/** As far as an agent can tell: its processes and control groups are gone, and the boot id is another. */
async function reboot({ device, folder }: World, id: string): Promise<void> {
  await device.program.kill()
  const scope = join(groupsOf(device.dataFolder) ?? '', id)
  writeFileSync(join(scope, 'cgroup.kill'), '1')
  await until('the end of everything', () => textOf(join(scope, 'cgroup.events')).includes('populated 0'))
  writeFileSync(join(folder, 'boot-id'), `${crypto.randomUUID()}\n`)
}

async function startLasting(world: World): Promise<{ id: string; runs: () => string }> {
  const here = world.scratch('lasting')
  const { id } = await world.api.run(world.device.machineId, lastingScript, here)
  await until('the script to run', () => existsSync(join(here, 'runs')))
  await world.api.untilAction(id, 'runs', isRunning)
  return { id, runs: () => textOf(join(here, 'runs')) }
}

describe.skipIf(!isAble)('a host that reboots while a script runs', { timeout }, () => {
  test('says that the script was interrupted, and does not run it again', () =>
    withWorld({ around: withBootId }, async (world) => {
      const { id, runs } = await startLasting(world)
      await reboot(world, id)
      await world.device.start()
      const { status, commands } = await world.api.untilOver(id)

      assert.equal(status, 'Failed')
      assert.match(commands[0]?.errors.join() ?? '', /without an exit status/)
      assert.equal((await world.api.result(id)).exit_code, null)
      assert.equal(runs(), 'ran\n')
    }))

  test('with a cancel waiting for it: the reboot was first, so it failed and the cancel came too late', () =>
    withWorld({ around: withBootId, serverFlags: ['--settle-ms', '300'] }, async (world) => {
      const { id, runs } = await startLasting(world)
      await reboot(world, id)
      assert.equal((await world.api.cancel(id)).action.status, 'InProgress')
      await world.device.start()
      const { status, countermand, cancellationDateTimeUtc } = await world.api.untilOver(id)

      assert.deepEqual([status, countermand.cancel?.state, countermand.proof], ['Failed', 'too_late', null])
      assert.equal(cancellationDateTimeUtc, null)
      assert.equal(runs(), 'ran\n')
    }))
})

describe('a pretended device', { timeout }, () => {
  test('goes the whole way without touching the host, and says so', () =>
    withWorld({ agentFlags: ['--pretend'] }, async ({ api, device, scratch }) => {
      const [first = ''] = device.program.output().split('\n')
      assert.match(first, /^PRETENDED/)
      const here = scratch('untouched')
      const { id } = await api.run(device.machineId, `echo really >${here}/file`)
      const running = await api.untilAction(id, 'runs', isRunning)
      assert.match(running.computerDnsName, /^pretended-/)

      await api.cancel(id)
      const { status, countermand } = await api.untilOver(id)
      assert.deepEqual([status, countermand.proof], ['Cancelled', 'stopped'])
      assert.equal(existsSync(join(here, 'file')), false)
    }))

  test('beside a server: every line of the agent stands in its output, the warning too', () =>
    withWorld({ embedded: true, serverFlags: ['--pretend'] }, async ({ api, device, server }) => {
      assert.match(server.output(), /^agent: PRETENDED/m)
      const { id } = await api.run(device.machineId, 'echo never')
      await api.untilAction(id, 'runs', isRunning)
      await api.cancel(id)
      assert.equal((await api.untilOver(id)).status, 'Cancelled')
    }))
})
