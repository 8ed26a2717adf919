/** Several commands in one action: each begun by leave, journalled, told; a cancel between any two of them. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { setTimeout as pause } from 'node:timers/promises'
import type { CommandOutcome, News } from '@countermand/contract'
import { describe, test } from 'vitest'
import {
  Machine,
  getOf,
  inFolder,
  newId,
  offerOfCommands,
  putOf,
  scriptNamed,
  until,
} from './testing/fakes.ts'
import { openParts, type Parts, type PartsOptions } from './testing/parts.ts'

interface Stage {
  readonly parts: Parts
  readonly machine: Machine
  readonly id: string
  readonly folder: string
  /** Where PutFile puts. */
  readonly place: (name: string) => string
  /** Leave for the next step, as a reply gives it. */
  readonly permit: () => Promise<void>
}

const staged = (options: PartsOptions, play: (stage: Stage) => Promise<void>): Promise<void> =>
  inFolder(async (folder) => {
    const machine = new Machine()
    const parts = await openParts(folder, machine, options)
    const id = newId()
    const place = (name: string): string => join(folder, 'put', name)
    const permit = (): Promise<void> => parts.order({ starts: [id] })
    await play({ parts, machine, id, folder, place, permit })
    await parts.runner.shutdown()
  })

const commandsIn = (news: News): readonly CommandOutcome[] => ('commands' in news ? news.commands : [])
const states = (news: News): readonly string[] => commandsIn(news).map(({ status }) => status)

describe('commands of one action', () => {
  test('run one after the other, and each change of one is told', () =>
    staged({}, async ({ parts, machine, id, permit, folder }) => {
      writeFileSync(join(folder, 'wanted.txt'), 'what was wanted')
      const commands = [
        putOf('tool'),
        scriptNamed('a.sh'),
        scriptNamed('b.sh'),
        getOf(join(folder, 'wanted.txt')),
      ]
      await parts.order({ offers: [offerOfCommands(id, commands)] })
      await until('the first script', () => machine.isAlive(id))
      await machine.exit(id, 0)
      await until('the end of the first', () =>
        parts.told(id).some((news) => states(news)[1] === 'Completed'),
      )
      await permit()
      await until('the second script', () => machine.starts(id) === 2)
      await machine.exit(id, 3)
      const outcome = await parts.outcome(id)
      assert.equal(outcome.kind === 'finished' && outcome.outcome, 'succeeded')
      assert.deepEqual(states(outcome), ['Completed', 'Completed', 'Completed', 'Completed'])
      assert.deepEqual(
        commandsIn(outcome).map(({ result }) => result?.fileName ?? null),
        [null, 'a.sh_result.json', 'b.sh_result.json', 'wanted.txt.gz'],
      )
      assert.deepEqual(
        [...new Set(parts.told(id).map(({ kind }) => kind))],
        ['started', 'stepped', 'finished'],
      )
    }))

  test('of which one fails stop there', () =>
    staged({}, async ({ parts, machine, id, folder }) => {
      const commands = [putOf('tool'), getOf(join(folder, 'nowhere')), getOf('/etc/hostname')]
      await parts.order({ offers: [offerOfCommands(id, commands)] })
      const outcome = await parts.outcome(id)
      assert.equal(outcome.kind === 'finished' && outcome.outcome, 'failed')
      assert.deepEqual(states(outcome), ['Completed', 'Failed', 'Created'])
      assert.match(commandsIn(outcome)[1]?.errors[0] ?? '', /nowhere cannot be read: there is no such file/)
      assert.equal(machine.starts(id), 0)
    }))

  test('wait for leave that is fresh: a script takes longer than leave lasts', () =>
    staged({}, async ({ parts, machine, id, permit }) => {
      await parts.order({ offers: [offerOfCommands(id, [scriptNamed('a.sh'), scriptNamed('b.sh')])] })
      await until('the first script', () => machine.isAlive(id))
      machine.seconds += 31
      await machine.exit(id, 0)
      const asked = parts.asked()
      await until('a request for leave', () => parts.asked() > asked && !machine.isAlive(id))
      await pause(60)
      assert.equal(machine.starts(id), 1)
      await permit()
      await until('the second script', () => machine.starts(id) === 2)
    }))

  test('are not begun once the server has stopped waiting', () =>
    staged({}, async ({ parts, machine, id }) => {
      await parts.order({ offers: [offerOfCommands(id, [scriptNamed('a.sh'), scriptNamed('b.sh')])] })
      await until('the first script', () => machine.isAlive(id))
      await parts.order({ starts: [], acknowledged: 10, finals: [id] })
      await machine.exit(id, 0)
      const outcome = await parts.outcome(id)
      assert.equal(outcome.kind === 'finished' && outcome.outcome, 'failed')
      assert.deepEqual(states(outcome), ['Completed', 'Failed'])
      assert.match(commandsIn(outcome)[1]?.errors[0] ?? '', /had stopped waiting/)
      assert.equal(machine.starts(id), 1)
    }))

  test('each have their own limit', () =>
    inFolder(async (folder) => {
      const machine = new Machine()
      const id = newId()
      const first = await openParts(folder, machine)
      await first.order({
        offers: [offerOfCommands(id, [scriptNamed('a.sh', 600_000), scriptNamed('b.sh', 5_000)])],
      })
      await until('the first script', () => machine.isAlive(id))
      machine.seconds += 500
      await machine.exit(id, 0)
      await until('the second script', async () => {
        await first.order({ starts: [id] })
        return machine.starts(id) === 2
      })
      await first.runner.shutdown()
      machine.seconds += 6
      const outcome = await (await openParts(folder, machine)).outcome(id)
      assert.equal(outcome.kind === 'finished' && outcome.outcome, 'timed_out')
      assert.deepEqual(states(outcome), ['Completed', 'Failed'])
    }))
})

describe('a cancel', () => {
  test('while the second of three runs: finished ones stay Completed, the running one fails as cancelled, the rest is not begun', () =>
    staged({}, async ({ parts, machine, id, permit }) => {
      const commands = [scriptNamed('a.sh'), scriptNamed('b.sh'), scriptNamed('c.sh')]
      await parts.order({ offers: [offerOfCommands(id, commands)] })
      await until('the first script', () => machine.isAlive(id))
      await machine.exit(id, 0)
      await permit()
      await until('the second script', () => machine.starts(id) === 2)
      await parts.order({ cancels: [id] })
      const outcome = await parts.outcome(id)
      assert.equal(outcome.kind === 'stopped' && outcome.proof, 'stopped')
      assert.deepEqual(states(outcome), ['Completed', 'Failed', 'Created'])
      assert.deepEqual(
        commandsIn(outcome).map(({ errors }) => errors),
        [[], ['cancelled'], []],
      )
      assert.equal(machine.starts(id), 2)
    }))

  test('between two: the next does not begin, whatever leave comes', () =>
    staged({}, async ({ parts, machine, id }) => {
      await parts.order({ offers: [offerOfCommands(id, [scriptNamed('a.sh'), scriptNamed('b.sh')])] })
      await until('the first script', () => machine.isAlive(id))
      machine.seconds += 31
      await machine.exit(id, 0)
      await until('the end of the first', () =>
        parts.told(id).some((news) => states(news)[0] === 'Completed'),
      )
      await parts.order({ cancels: [id], starts: [id] })
      const outcome = await parts.outcome(id)
      assert.equal(outcome.kind === 'stopped' && outcome.proof, 'stopped')
      assert.deepEqual(states(outcome), ['Completed', 'Created'])
      assert.equal(machine.starts(id), 1)
    }))

  test('takes a file back that was put: one that is new goes, one that was there before is there again', () =>
    staged({}, async ({ parts, machine, id, place, folder }) => {
      mkdirSync(join(folder, 'put'))
      writeFileSync(place('old'), 'as it was')
      await parts.order({ offers: [offerOfCommands(id, [putOf('old'), putOf('new'), scriptNamed('a.sh')])] })
      await until('the script', () => machine.isAlive(id))
      assert.equal(readFileSync(place('old'), 'utf8'), 'id\n')
      assert.equal(readFileSync(place('new'), 'utf8'), 'id\n')
      await parts.order({ cancels: [id] })
      const outcome = await parts.outcome(id)
      assert.equal(outcome.kind, 'reverted')
      assert.deepEqual(states(outcome), ['Completed', 'Completed', 'Failed'])
      assert.equal(readFileSync(place('old'), 'utf8'), 'as it was')
      assert.equal(existsSync(place('new')), false)
    }))

  test('takes a file back that was put twice: what was there before the first is there again', () =>
    staged({}, async ({ parts, machine, id, place, folder }) => {
      mkdirSync(join(folder, 'put'))
      writeFileSync(place('old'), 'as it was')
      await parts.order({ offers: [offerOfCommands(id, [putOf('old'), putOf('old'), scriptNamed('a.sh')])] })
      await until('the script', () => machine.isAlive(id))
      await parts.order({ cancels: [id] })
      assert.equal((await parts.outcome(id)).kind, 'reverted')
      assert.equal(readFileSync(place('old'), 'utf8'), 'as it was')
      assert.deepEqual(readdirSync(join(folder, 'put')), ['old'])
    }))

  test('names what it could not take back: a file that somebody has replaced since', () =>
    staged({}, async ({ parts, machine, id, place, folder }) => {
      mkdirSync(join(folder, 'put'))
      writeFileSync(place('old'), 'as it was')
      await parts.order({ offers: [offerOfCommands(id, [putOf('old'), scriptNamed('a.sh')])] })
      await until('the script', () => machine.isAlive(id))
      writeFileSync(place('other'), 'somebody else’s')
      renameSync(place('other'), place('old'))
      await parts.order({ cancels: [id] })
      const outcome = await parts.outcome(id)
      assert.equal(outcome.kind, 'revert_failed')
      assert.match(
        outcome.kind === 'revert_failed' ? outcome.residues.join() : '',
        /was replaced meanwhile and stays/,
      )
      assert.equal(readFileSync(place('old'), 'utf8'), 'somebody else’s')
      assert.equal(readFileSync(place('old.former'), 'utf8'), 'as it was')
    }))

  test('of a script that escaped says both: what was killed outside, though the file is back', () =>
    staged({}, async ({ parts, machine, id, place }) => {
      await parts.order({ offers: [offerOfCommands(id, [putOf('new'), scriptNamed('a.sh')])] })
      await until('the script', () => machine.isAlive(id))
      machine.strays = [{ pid: 77, command: 'escaped' }]
      await parts.order({ cancels: [id] })
      const outcome = await parts.outcome(id)
      assert.match(outcome.kind === 'stopped' ? outcome.residues.join() : '', /77 escaped/)
      assert.equal(existsSync(place('new')), false)
    }))

  test('while a file is being sent: given up, and said to be', () => {
    const never = new Promise<void>(() => undefined)
    return staged({ deliver: () => never }, async ({ parts, id }) => {
      await parts.order({ offers: [offerOfCommands(id, [getOf('/etc/hostname')])] })
      await until('the sending', () => parts.runner.progress()[0]?.line?.includes('/etc/hostname'))
      await parts.order({ cancels: [id] })
      const outcome = await parts.outcome(id)
      assert.equal(outcome.kind === 'stopped' && outcome.proof, 'stopped')
      assert.deepEqual(commandsIn(outcome)[0]?.errors, ['cancelled'])
    })
  })

  test('after the last command has ended is too late, and what it put stays', () => {
    const sent = Promise.withResolvers<void>()
    return staged({ deliver: () => sent.promise }, async ({ parts, machine, id, place }) => {
      await parts.order({ offers: [offerOfCommands(id, [putOf('new'), scriptNamed('a.sh')])] })
      await until('the script', () => machine.isAlive(id))
      await machine.exit(id, 0)
      await until('its end to be told', () => parts.told(id).some(({ kind }) => kind === 'ended'))
      await parts.order({ cancels: [id] })
      sent.resolve()
      const outcome = await parts.outcome(id)
      assert.equal(outcome.kind === 'finished' && outcome.outcome, 'succeeded')
      assert.equal(existsSync(place('new')), true)
    })
  })
})

describe('GetFile', () => {
  test('brings a file compressed, whatever signs are in its name', () => {
    let brought: Buffer = Buffer.alloc(0)
    return staged({ deliver: (content) => void (brought = content) }, async ({ parts, id, folder }) => {
      const path = join(folder, 'a name\nwith нечто.bin')
      writeFileSync(path, Buffer.alloc(700_000, 'abc'))
      await parts.order({ offers: [offerOfCommands(id, [getOf(path)])] })
      const outcome = await parts.outcome(id)
      assert.equal(outcome.kind === 'finished' && outcome.outcome, 'succeeded')
      assert.deepEqual(gunzipSync(brought), readFileSync(path))
    })
  })

  test.each([
    ['a folder', '/etc', /is a folder/],
    ['a device', '/dev/zero', /is a device/],
    ['what is not there', '/nowhere/at-all', /no such file/],
    ['what is below a file', '/etc/hostname/x', /no such file/],
  ])('of %s fails in plain words', (_what, path, words) =>
    staged({}, async ({ parts, id }) => {
      await parts.order({ offers: [offerOfCommands(id, [getOf(path)])] })
      const outcome = await parts.outcome(id)
      assert.equal(outcome.kind === 'finished' && outcome.outcome, 'failed')
      assert.match(commandsIn(outcome)[0]?.errors[0] ?? '', words)
    }),
  )

  test('of more than its limit fails, and nothing is sent', () => {
    let isSent = false
    return staged({ deliver: () => void (isSent = true) }, async ({ parts, id, folder }) => {
      writeFileSync(join(folder, 'big'), Buffer.alloc(1_000_001))
      await parts.order({ offers: [offerOfCommands(id, [getOf(join(folder, 'big'))])] })
      const outcome = await parts.outcome(id)
      assert.match(commandsIn(outcome)[0]?.errors[0] ?? '', /larger than the 1000000 bytes/)
      assert.equal(isSent, false)
    })
  })
})

test('PutFile replaces no folder', () =>
  staged({}, async ({ parts, id, place }) => {
    mkdirSync(place('tool'), { recursive: true })
    await parts.order({ offers: [offerOfCommands(id, [putOf('tool')])] })
    const outcome = await parts.outcome(id)
    assert.match(commandsIn(outcome)[0]?.errors[0] ?? '', /is not a plain file and is not replaced/)
    assert.equal(existsSync(place('tool')), true)
  }))
