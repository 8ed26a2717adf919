/** Processes die at the worst moment, on either side; what was said before is still true afterwards. */
import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { MachineAction } from '@countermand/contract'
import { describe, test } from 'vitest'
import { needs } from '../needs.ts'
import { isRunning } from './api.ts'
import { beatingScript, beatsIn, haveAllBeaten, nanoseconds, textOf } from './beats.ts'
import { groupsOf, processesWith, withWorld, type World } from './fixture.ts'
import { until } from './program.ts'

/** Leaves a line each time it is run, and ends with 5 once it is told to go. */
const waitingScript = `#!/bin/sh
echo ran >>"$1/runs"; echo before
n=0; while [ ! -e "$1/go" ] && [ -d "$1" ] && [ $n -lt 4000 ]; do n=$((n + 1)); sleep 0.05; done
echo after; exit 5
`

interface Started {
  readonly id: string
  readonly here: string
  readonly word: string
}

async function start(world: World, script: string): Promise<Started> {
  const word = `word-${process.pid}-${performance.now()}`
  const here = world.scratch(word)
  const { id } = await world.api.run(world.device.machineId, script, `${here} ${word}`)
  return { id, here, word }
}

async function startWaiting(world: World): Promise<Started> {
  const started = await start(world, waitingScript)
  await until('the script to run', () => existsSync(join(started.here, 'runs')))
  await world.api.untilAction(started.id, 'runs', isRunning)
  return started
}

async function startBeating(world: World): Promise<Started> {
  const started = await start(world, beatingScript)
  await until('every descendant to beat three times', () => haveAllBeaten(started.here))
  await world.api.untilAction(started.id, 'runs', isRunning)
  return started
}

const letGo = ({ here }: Started): void => writeFileSync(join(here, 'go'), '')

/** Its whole result has arrived, and it has run once. */
async function assertWholeResult({ api }: World, { id, here, word }: Started): Promise<void> {
  const { status, commands } = await api.untilOver(id)
  assert.equal(status, 'Succeeded')
  assert.equal(commands[0]?.commandStatus, 'Completed')
  const result = await api.result(id)
  assert.deepEqual([result.exit_code, result.script_output], [5, 'before\nafter\n'])
  assert.equal(textOf(join(here, 'runs')), 'ran\n')
  assert.deepEqual(processesWith(word), [])
}

/** Cancelled with this proof, and nothing of it has done anything since, or lives. */
async function assertTakenBack(
  { api, device }: World,
  { id, here, word }: Started,
  proof: MachineAction['countermand']['proof'],
): Promise<void> {
  const { status, countermand, cancellationDateTimeUtc } = await api.untilOver(id)
  const beats = beatsIn(here)
  await pause(500)
  assert.deepEqual([status, countermand.proof], ['Cancelled', proof])
  assert.deepEqual(processesWith(word), [])
  const cancelledAt = nanoseconds(cancellationDateTimeUtc ?? '')
  assert.deepEqual(
    beats.filter(({ at }) => at > cancelledAt),
    [],
  )
  assert.deepEqual(beatsIn(here), beats)
  assert.equal(existsSync(join(groupsOf(device.dataFolder) ?? '', id)), false)
}

/** Asked for and not granted yet: in no way may it look cancelled. */
function assertOutstanding({ status, cancellationRequestor, cancellationDateTimeUtc }: MachineAction): void {
  assert.equal(status, 'InProgress')
  assert.notEqual(cancellationRequestor, null)
  assert.equal(cancellationDateTimeUtc, null)
}

const options = { serverFlags: ['--settle-ms', '300'] }

describe.skipIf(!needs('root') || !needs('cgroup2'))('the agent', { timeout: 90_000 }, () => {
  test('is killed while a script runs: the next one takes it up, and its whole result arrives', () =>
    withWorld(options, async (world) => {
      const started = await startWaiting(world)
      await world.device.program.kill()
      await world.device.start()
      assertRunning(await world.api.action(started.id))
      letGo(started)
      await assertWholeResult(world, started)
    }))

  test('is dead while the script ends: the result arrives all the same', () =>
    withWorld(options, async (world) => {
      const started = await startWaiting(world)
      await world.device.program.kill()
      letGo(started)
      await until('the script to end', () => processesWith(started.word).length === 0)
      await world.device.start()
      await assertWholeResult(world, started)
    }))

  test('leaves when it is asked to: the script goes on, and the next agent takes it up', () =>
    withWorld(options, async (world) => {
      const started = await startWaiting(world)
      await world.device.program.leave()
      assert.match(world.device.program.output(), /\[agent ended: 0\]/)
      assert.notDeepEqual(processesWith(started.word), [])
      await world.device.start()
      letGo(started)
      await assertWholeResult(world, started)
    }))

  test('is killed, then the cancel comes: outstanding until it is back, then proven', () =>
    withWorld(options, async (world) => {
      const started = await startBeating(world)
      await world.device.program.kill()
      const { status, action } = await world.api.cancel(started.id)
      assert.equal(status, 200)
      assertOutstanding(action)

      await world.device.start()
      await assertTakenBack(world, started, 'stopped')
    }))

  test('is stopped before the offer: the cancel needs no word of it, and the script never runs', () =>
    withWorld(options, async (world) => {
      world.device.program.signal('SIGSTOP')
      const started = await start(world, waitingScript)
      const { action } = await world.api.cancel(started.id)
      assert.deepEqual([action.status, action.countermand.proof], ['Cancelled', 'never_offered'])
      world.device.program.signal('SIGCONT')

      const next = await startWaiting(world)
      letGo(next)
      await assertWholeResult(world, next)
      assert.equal(existsSync(join(started.here, 'runs')), false)
    }))

  test('beside a server is started again when it is killed, and takes up what it ran', () =>
    withWorld({ ...options, embedded: true }, async (world) => {
      const started = await startWaiting(world)
      const [agent] = processesWith(world.device.dataFolder).filter((pid) => isAgent(pid))
      process.kill(agent ?? Number.NaN, 'SIGKILL')
      await until('the next agent', () =>
        /the agent ended .*\n(.*\n)*agent: connected/.test(world.server.output()),
      )
      letGo(started)
      await assertWholeResult(world, started)
    }))
})

describe.skipIf(!needs('root') || !needs('cgroup2'))('the server', { timeout: 90_000 }, () => {
  test('is killed while a script runs: the script goes on, and its result arrives later', () =>
    withWorld(options, async (world) => {
      const started = await startWaiting(world)
      await world.server.kill()
      letGo(started)
      await until('the script to end', () => processesWith(started.word).length === 0)
      await world.startServer()
      await assertWholeResult(world, started)
    }))

  test('is killed right after it took a cancel that the device cannot answer: the cancel outlives it', () =>
    withWorld(options, async (world) => {
      const started = await startBeating(world)
      world.device.program.signal('SIGSTOP')
      assertOutstanding((await world.api.cancel(started.id, 'before the fall')).action)
      await world.server.kill()
      await world.startServer()

      const now = await world.api.action(started.id)
      assertOutstanding(now)
      assert.equal(now.cancellationComment, 'before the fall')
      world.device.program.signal('SIGCONT')
      await assertTakenBack(world, started, 'stopped')
    }))

  test('and the agent are both killed after the cancel was taken: it is carried out when they are back', () =>
    withWorld(options, async (world) => {
      const started = await startBeating(world)
      world.device.program.signal('SIGSTOP')
      assertOutstanding((await world.api.cancel(started.id)).action)
      await Promise.all([world.server.kill(), world.device.program.kill()])
      // The agent first: it has to wait for the server.
      world.device.startAlone()
      await world.startServer()
      await assertTakenBack(world, started, 'stopped')
    }))

  test('with its own agent is killed: the agent leaves, the script goes on, the next start takes it up', () =>
    withWorld({ ...options, embedded: true }, async (world) => {
      const started = await startWaiting(world)
      await world.server.kill()
      await until('the agent to leave', () => !processesWith(world.device.dataFolder).some(isAgent))
      assert.notDeepEqual(processesWith(started.word), [])
      await world.startServer()
      letGo(started)
      await assertWholeResult(world, started)
    }))
})

const isAgent = (pid: number): boolean => textOf(`/proc/${pid}/cmdline`).includes('agent/src/main.ts')

function assertRunning({ status, cancellationRequestor }: MachineAction): void {
  assert.deepEqual([status, cancellationRequestor], ['InProgress', null])
}
