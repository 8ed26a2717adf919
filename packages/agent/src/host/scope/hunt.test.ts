import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { needs } from '../../../../../test/needs.ts'
import { everybodyMet, killAll, look, openHunt } from './hunt.ts'
import { findProcess, parseStat, signalProcess, type Process } from './processes.ts'
import { inAnotherAgent } from './testing/trial.ts'

/** Starts a process in a session of its own for the time of a test. */
async function withSleeper(run: (sleeper: Process, child: ChildProcess) => Promise<void>): Promise<void> {
  const child = spawn('/bin/sleep', ['30'], { detached: true })
  try {
    await once(child, 'spawn')
    const sleeper = findProcess(child.pid ?? 0)
    if (!sleeper) throw new Error('The sleeper is not there.')
    await run(sleeper, child)
  } finally {
    child.kill('SIGKILL')
  }
}

const stat = (state: string, threads: number, flags = 64): Process | null =>
  parseStat(`12 (a) Z (b c) ${state} 7 8 9 0 -1 ${flags} ${'0 '.repeat(10)}${threads} 0 4711 x`)

test('a process is read from its line in /proc, whatever its name', () => {
  const process = { pid: 12, parent: 7, session: 9, startedAt: 4711, isDead: false, isKernel: false }
  expect(stat('S', 1)).toEqual(process)
  expect(stat('Z', 1)).toEqual({ ...process, isDead: true })
  expect(stat('Z', 2), 'its first thread has ended, and not the others').toEqual(process)
  expect(stat('S', 1, 0x00200040)).toEqual({ ...process, isKernel: true })
  expect(parseStat('')).toBe(null)
})

test.skipIf(!needs('root'))(
  'a signal reaches only the process that was meant, not one that has its pid now',
  () =>
    withSleeper(async (sleeper, child) => {
      const exit = once(child, 'exit')
      signalProcess({ ...sleeper, startedAt: sleeper.startedAt - 1 }, 'SIGKILL')
      await sleep(200)
      expect(findProcess(sleeper.pid)?.isDead).toBe(false)
      signalProcess(sleeper, 'SIGTERM')
      expect(await exit).toEqual([null, 'SIGTERM'])
    }),
)

test.skipIf(!needs('root'))('a session is followed only while its number can be the same one', () =>
  withSleeper(async (sleeper, child) => {
    const exit = once(child, 'exit')
    const stranger = { ...sleeper, startedAt: sleeper.startedAt - 1 }
    const wrong = openHunt({ actionId: randomUUID(), leader: stranger })
    expect(
      look(wrong, () => undefined),
      'its pid was used again',
    ).toBe(0)

    const hunt = openHunt({ actionId: randomUUID(), leader: sleeper })
    expect(await killAll(hunt, 5000)).toBe(true)
    expect(everybodyMet(hunt)).toEqual([{ pid: sleeper.pid, command: '/bin/sleep 30' }])
    expect(await exit).toEqual([null, 'SIGKILL'])
  }),
)

test.skipIf(!needs('unshare'))('where /proc does not show this process, nobody is said to be gone', () => {
  const options = { name: 'test', folder: '/nowhere', mechanism: 'sweep', log: () => undefined } as const
  const program = `
    process.getBuiltinModule('child_process').execFileSync('mount', ['-t', 'tmpfs', 'none', '/proc'])
    const id = '${randomUUID()}'
    await scopes.end('/nowhere/' + id, id).then(console.log, (error) => console.log(error.message))`
  expect(inAnotherAgent(options, program, ['unshare', '-m'])).toContain('it proves nothing')
})
