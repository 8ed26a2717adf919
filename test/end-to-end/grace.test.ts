/** A cancel that gives time: what runs is asked to end first. Whatever it does then, the cancel is what has ended it. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { MachineAction } from '@countermand/contract'
import { needs } from '../needs.ts'
import { isRunning } from './api.ts'
import { textOf } from './beats.ts'
import { openWorld, type World } from './fixture.ts'
import { until } from './program.ts'

const timeout = 120_000

/** Its end takes a while, and is a success by its exit status. */
const polite = `#!/bin/sh
trap 'echo asked >>"$1/said"; sleep 1; echo tidied >>"$1/said"; exit 0' TERM
echo ready >>"$1/said"
while [ -d "$1" ]; do sleep 0.05; done
`
const deaf = `#!/bin/sh
trap '' TERM
echo ready >>"$1/said"
while [ -d "$1" ]; do sleep 0.05; done
`

const isStopped = ({ status, countermand }: MachineAction): void =>
  assert.deepEqual([status, countermand.proof, countermand.effect.residues], ['Cancelled', 'stopped', []])

describe.skipIf(!needs('root') || !needs('cgroup2'))('a cancel with grace', { timeout }, () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld()
  }, timeout)
  afterAll(() => world.close(), timeout)

  async function started(name: string, script: string): Promise<{ id: string; said: () => string }> {
    const here = world.scratch(name)
    const { id } = await world.api.run(world.device.machineId, script, here)
    const said = (): string => textOf(join(here, 'said')).trim().split('\n').join(' ')
    await until('the script to be ready', () => said().includes('ready'))
    await world.api.untilAction(id, 'running', isRunning)
    return { id, said }
  }
  async function cancel(id: string, graceSeconds: number, waitSeconds: number): Promise<MachineAction> {
    const countermand = { graceSeconds, waitSeconds }
    const response = await world.api.ask('POST', `/api/machineactions/${id}/cancel`, {
      Comment: 'in peace',
      countermand,
    })
    assert.equal(response.status, 200)
    const action: MachineAction = JSON.parse(await response.text())
    return action
  }
  test('lets a script tidy up, and calls it cancelled although it has ended by itself then', async () => {
    const { id, said } = await started('polite', polite)
    isStopped(await cancel(id, 60, 30))
    assert.equal(said(), 'ready asked tidied')
  })

  test('kills what does not listen once the time is over, and not before', async () => {
    const { id } = await started('deaf', deaf)
    const before = performance.now()
    isStopped(await cancel(id, 2, 30))
    assert.ok(performance.now() - before >= 2_000)
  })

  test('whose agent dies meanwhile is no success either, whatever the script has done since', async () => {
    const { id, said } = await started('orphan', polite)
    assert.equal((await cancel(id, 60, 0)).status, 'InProgress')
    await until('the script to be asked', () => said().includes('asked'))
    await world.device.program.kill()
    await until('the script to have ended', () => said().includes('tidied'))
    await world.device.start()
    isStopped(await world.api.untilOver(id))
  })
})
