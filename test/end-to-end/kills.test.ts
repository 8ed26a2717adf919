/**
 * The agent is killed at any moment of an action's life, the server at times, and started again. Whatever comes of it: the script
 * has run once at most, and where it says Cancelled nothing of it lives. The moments come from a seed, which is named on failure;
 * `COUNTERMAND_SEED` plays it again.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, test } from 'vitest'
import { needs } from '../needs.ts'
import { textOf } from './beats.ts'
import { groupsOf, processesWith, withWorld, type World } from './fixture.ts'

const script = `#!/bin/sh
echo ran >>"$1/runs"
setsid sh -c 'while [ -d "$0" ]; do sleep 0.1; done' "$1" "$2" &
n=0; while [ -d "$1" ] && [ $n -lt 25 ]; do n=$((n + 1)); sleep 0.02; done
exit 7
`
const rounds = 12

/** Numbers below `below` that the seed decides. */
function dice(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

async function playRound(world: World, name: string, roll: (below: number) => number): Promise<void> {
  const { api, device, server } = world
  const here = world.scratch(name)
  const word = `word-of-${name}-`
  const { id } = await api.run(device.machineId, script, `${here} ${word}`)
  const isCancelled = roll(2) === 0
  const cancelFirst = roll(2) === 0
  await pause(roll(150))
  if (isCancelled && cancelFirst) void api.cancel(id).catch(() => undefined)
  await pause(roll(60))
  const both = roll(4) === 0
  await Promise.all([device.program.kill(), ...(both ? [server.kill()] : [])])
  if (both) await world.startServer()
  if (isCancelled) await api.cancel(id)
  await device.start()

  const { status, countermand, commands } = await api.untilOver(id)
  const ran = textOf(join(here, 'runs'))
  const told = `${name}: ${status} ${countermand.proof} ran ${JSON.stringify(ran)} ${JSON.stringify(commands)}`
  assert.deepEqual(processesWith(word), [], told)
  assert.ok(ran === '' || ran === 'ran\n', told)
  assert.equal(existsSync(join(groupsOf(device.dataFolder) ?? '', id)), false, told)
  if (!isCancelled) assert.ok(['Succeeded', 'Failed'].includes(status), told)
  if (status === 'Succeeded') assert.equal(ran, 'ran\n', told)
  if (status === 'Succeeded') assert.equal((await api.result(id)).exit_code, 7, told)
  const neverRan = ['never_offered', 'not_received', 'refused_start']
  if (neverRan.includes(countermand.proof ?? '')) assert.equal(ran, '', told)
  assert.equal(status === 'Cancelled', countermand.proof !== null, told)
  assert.equal(countermand.lateOutcome, null, told)
}

describe.skipIf(!needs('root') || !needs('cgroup2'))('kills', { timeout: 150_000 }, () => {
  test(`${rounds} rounds: nothing runs twice, nothing outlives its cancel, nothing is claimed that is not so`, async () => {
    const seed = Number(process.env.COUNTERMAND_SEED ?? Date.now() % 1_000_000)
    const roll = dice(seed)
    await withWorld({ serverFlags: ['--settle-ms', '200'] }, async (world) => {
      for (let round = 1; round <= rounds; round += 1) {
        await playRound(world, `seed-${seed}-round-${round}`, roll).catch((thrown: unknown) => {
          throw new Error(`COUNTERMAND_SEED=${seed}, round ${round}\n${world.device.program.output()}`, {
            cause: thrown,
          })
        })
      }
    })
  })
})
