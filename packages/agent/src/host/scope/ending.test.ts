import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { needs } from '../../../../../test/needs.ts'
import type { Scopes } from '../types.ts'
import { findProcess } from './processes.ts'
import {
  inAnotherAgent,
  isBeating,
  nastyNames,
  nastyScript,
  never,
  textOf,
  until,
  withTrial,
  type Made,
  type Mechanism,
} from './testing/trial.ts'

const mechanisms: readonly Mechanism[] = ['cgroup', 'sweep']
const proofOf = (mechanism: Mechanism): string => (mechanism === 'cgroup' ? 'stopped' : 'swept')

/** Starts the nasty script, waits until all of its descendants have beaten, and returns where they beat. */
async function startNasty(scopes: Scopes, made: Made): Promise<string> {
  await scopes.start(made.scope, made.launch(nastyScript, [made.folder]))
  const beats = join(made.folder, 'beats')
  await until('all to beat', () => nastyNames.every((name) => textOf(beats).includes(`${name}\n`)))
  return beats
}

describe.skipIf(!needs('root') || !needs('cgroup2')).each(mechanisms)('ending a scope (%s)', (mechanism) => {
  const proof = proofOf(mechanism)

  test('after the end of a scope nothing that was started in it does anything any more', () =>
    withTrial(mechanism, async ({ scopes, make }) => {
      const made = await make()
      const beats = await startNasty(scopes, made)
      const stopped = Number(textOf(join(made.folder, 'stopped')))

      const ended = await scopes.end(made.scope, made.id)

      expect(ended).toMatchObject({ proof, strays: [] })
      expect(ended.killed.map(({ pid }) => pid)).toContain(stopped)
      expect(ended.killed.some(({ command }) => command.includes('countermand-wrapper'))).toBe(true)
      expect(findProcess(stopped)?.isDead ?? true, 'the stopped one is dead, not asleep').toBe(true)
      expect(await isBeating(beats)).toBe(false)
      expect(await scopes.isAlive(made.scope)).toBe(false)
      expect(await scopes.exitStatus(made.folder)).toBe(null)
    }))

  test('a fork storm is ended', () =>
    withTrial(mechanism, async ({ scopes, make }) => {
      const made = await make()
      // Half of them beget children and stay, half beget one and die. All of them stop when the folder is gone.
      const script = `
        echo 'while [ -d "$1" ]; do (echo . >>"$1/beats") & sleep 0.01; done' >"$1/stay"
        echo 'sleep 0.01; [ -d "$1" ] && echo . >>"$1/beats" && /bin/sh "$0" "$1" &' >"$1/move"
        for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
          /bin/sh "$1/stay" "$1" & setsid /bin/sh "$1/move" "$1" &
        done
        wait`
      await scopes.start(made.scope, made.launch(script, [made.folder]))
      const beats = join(made.folder, 'beats')
      await until('a storm', () => textOf(beats).length > 400)

      expect(await scopes.end(made.scope, made.id)).toMatchObject({ proof })
      expect(await isBeating(beats)).toBe(false)
    }))

  test('a frozen scope executes nothing, and no exit status appears', () =>
    withTrial(mechanism, async ({ scopes, make }) => {
      const made = await make()
      const beats = join(made.folder, 'beats')
      const script = 'while [ ! -e "$1/go" ] && [ -d "$1" ]; do echo . >>"$1/beats"; sleep 0.01; done'
      await scopes.start(made.scope, made.launch(script, [made.folder]))
      await until('a beat', () => textOf(beats) !== '')

      await scopes.freeze(made.scope)
      writeFileSync(join(made.folder, 'go'), '')

      expect(await isBeating(beats)).toBe(false)
      expect(await scopes.exitStatus(made.folder)).toBe(null)
      expect(await scopes.isAlive(made.scope)).toBe(true)
    }))

  test('ending twice, at the same time, or what never began says the same', () =>
    withTrial(mechanism, async ({ scopes, make }) => {
      const [made, unused] = [await make(), await make()]
      await startNasty(scopes, made)

      const both = await Promise.all([scopes.end(made.scope, made.id), scopes.end(made.scope, made.id)])
      expect(both.map((ended) => ended.proof)).toEqual([proof, proof])
      expect(await scopes.end(made.scope, made.id)).toEqual({ proof, killed: [], strays: [] })
      expect(await scopes.end(unused.scope, unused.id)).toEqual({ proof, killed: [], strays: [] })
    }))

  test('a scope is ended only by the action whose name it bears, and no name leads out of the folder', () =>
    withTrial(mechanism, async ({ scopes, make }) => {
      const [made, other] = [await make(), await make()]
      await expect(scopes.end(made.scope, other.id)).rejects.toThrow('is not the scope of')
      for (const id of [
        '..',
        '../x',
        '',
        'A'.repeat(36),
        `${made.id}/..`,
        made.id.toUpperCase().replace(/[0-9]/g, 'A'),
      ])
        await expect(scopes.make(id)).rejects.toThrow('is no action id')
    }))

  test('what other actions and the agent itself run is left alone', () =>
    withTrial(mechanism, async ({ scopes, make }) => {
      const [made, other] = [await make(), await make()]
      await scopes.start(other.scope, other.launch('echo $$; exec sleep 30'))
      await startNasty(scopes, made)
      const stranger = spawn('/bin/sleep', ['30'])
      await once(stranger, 'spawn')
      await scopes.end(made.scope, made.id)

      expect(await scopes.isAlive(other.scope)).toBe(true)
      expect(findProcess(stranger.pid ?? 0)?.isDead).toBe(false)
      stranger.kill('SIGKILL')
    }))

  test('a scope is ended by a later agent, when the one that started it was killed', () =>
    withTrial(mechanism, async ({ scopes, options, make }) => {
      const made = await make()
      const launch = JSON.stringify(made.launch(nastyScript, [made.folder]))
      inAnotherAgent(
        options,
        `await scopes.start(${JSON.stringify(made.scope)}, ${launch}); process.kill(process.pid, 'SIGKILL')`,
      )
      const beats = join(made.folder, 'beats')
      await until('all to beat', () => nastyNames.every((name) => textOf(beats).includes(`${name}\n`)))

      expect(await scopes.isAlive(made.scope)).toBe(true)
      expect(await scopes.end(made.scope, made.id)).toMatchObject({ proof })
      expect(await isBeating(beats)).toBe(false)
      expect(await scopes.ended(made.scope, made.folder, never)).toBe(null)
    }))

  test('an agent that an action started itself is not ended with it', () =>
    withTrial(mechanism, async ({ scopes, options, make }) => {
      const made = await make()
      await startNasty(scopes, made)
      const marked = ['env', `COUNTERMAND_ACTION=${made.id}`]
      const program = `console.log((await scopes.end(${JSON.stringify(made.scope)}, '${made.id}')).proof)`
      expect(inAnotherAgent(options, program, marked)).toBe(`${proof}\n`)
    }))
})

describe.skipIf(!needs('root') || !needs('cgroup2')).each(mechanisms)(
  'asking a scope to end (%s)',
  (mechanism) => {
    const polite = `trap 'echo asked >>"$1/said"; sleep 0.3; echo tidied >>"$1/said"; exit 0' TERM
    (trap 'echo child >>"$1/said"; exit' TERM; echo grown >>"$1/said"; while [ -d "$1" ]; do sleep 0.05; done) &
    echo ready >>"$1/said"; while [ -d "$1" ]; do sleep 0.05; done`
    const deaf = `trap '' TERM; echo ready >>"$1/said"; while [ -d "$1" ]; do echo . >>"$1/beats"; sleep 0.05; done`
    const minute = 60_000

    test('all of it is asked, does what it does at its end, and nothing is left to kill', () =>
      withTrial(mechanism, async ({ scopes, make }) => {
        const made = await make()
        await scopes.start(made.scope, made.launch(polite, [made.folder]))
        const said = (): string => textOf(join(made.folder, 'said'))
        await until('both to be ready', () => said().includes('ready') && said().includes('grown'))
        await scopes.freeze(made.scope)
        await scopes.ask(made.scope, { withinMs: minute, leaving: never })
        expect(said().trim().split('\n').toSorted()).toEqual(['asked', 'child', 'grown', 'ready', 'tidied'])
        expect(await scopes.isAlive(made.scope)).toBe(false)
        expect((await scopes.end(made.scope, made.id)).killed).toEqual([])
      }))

    test('what does not listen is left alone until the time is over, and then ended', () =>
      withTrial(mechanism, async ({ scopes, make }) => {
        const made = await make()
        await scopes.start(made.scope, made.launch(deaf, [made.folder]))
        await until('it to be ready', () => textOf(join(made.folder, 'said')).includes('ready'))
        await scopes.freeze(made.scope)
        await scopes.ask(made.scope, { withinMs: 500, leaving: never })
        expect(await isBeating(join(made.folder, 'beats'))).toBe(true)
        expect((await scopes.end(made.scope, made.id)).proof).toBe(proofOf(mechanism))
        expect(await isBeating(join(made.folder, 'beats'))).toBe(false)
      }))

    test('an agent that leaves meanwhile does not wait', () =>
      withTrial(mechanism, async ({ scopes, make }) => {
        const made = await make()
        await scopes.start(made.scope, made.launch(deaf, [made.folder]))
        await scopes.freeze(made.scope)
        const leaving = AbortSignal.abort(new Error('leaving'))
        await expect(scopes.ask(made.scope, { withinMs: minute, leaving })).rejects.toThrow('leaving')
      }))
  },
)
