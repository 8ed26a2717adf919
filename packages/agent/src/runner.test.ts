/** Start, end and cancel of one action, with a machine that the test plays. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, test } from 'vitest'
import { Machine, inFolder, newId, offerOf, until } from './testing/fakes.ts'
import { openParts, type Parts } from './testing/parts.ts'

/** A machine and an agent on it; `inside` is told the action's id. */
const withAgent = (
  inside: (parts: Parts, machine: Machine, id: string, folder: string) => Promise<void>,
): Promise<void> =>
  inFolder(async (folder) => {
    const machine = new Machine()
    const parts = await openParts(folder, machine)
    await inside(parts, machine, newId(), folder)
    await parts.runner.shutdown()
  })

/** Long enough for what should not happen to happen. */
const awhile = (): Promise<void> => pause(60)

describe('the permission to start', () => {
  test.each([0, 29.9])('is used when its nonce was sent %d s ago', (age) =>
    withAgent(async (parts, machine, id) => {
      await parts.order({ offers: [offerOf(id)] }, age)
      await until('the start', () => machine.starts(id) === 1)
    }),
  )

  test.each([30, 3_600, null])('is not used when it was sent %s s ago; a sync is asked for instead', (age) =>
    withAgent(async (parts, machine, id) => {
      await parts.order({ offers: [offerOf(id)] }, age)
      await until('a request for a sync', () => parts.asked() > 0)
      await awhile()
      assert.equal(machine.starts(id), 0)
      assert.equal((await parts.journal.find(id))?.verdict, null)

      await parts.order({ starts: [id] })
      await until('the start', () => machine.starts(id) === 1)
    }),
  )

  test('is over when the machine has slept while the script was fetched', () =>
    inFolder(async (folder) => {
      const machine = new Machine()
      const script = Promise.withResolvers<void>()
      const parts = await openParts(folder, machine, { fetch: () => script.promise })
      const id = newId()
      await parts.order({ offers: [offerOf(id)] })
      machine.seconds += 3 * 24 * 3_600
      script.resolve()
      await until('a request for a sync', () => parts.asked() > 0)
      await awhile()
      assert.equal(machine.starts(id), 0)
      await parts.runner.shutdown()
    }))

  test('is taken back by the next reply that does not repeat it', () =>
    inFolder(async (folder) => {
      const machine = new Machine()
      const script = Promise.withResolvers<void>()
      const parts = await openParts(folder, machine, { fetch: () => script.promise })
      const id = newId()
      await parts.order({ offers: [offerOf(id)] })
      await parts.order({ starts: [] })
      script.resolve()
      await until('a request for a sync', () => parts.asked() > 0)
      await awhile()
      assert.equal(machine.starts(id), 0)

      await parts.order({ starts: [id] })
      await until('the start', () => machine.starts(id) === 1)
      await parts.runner.shutdown()
    }))

  test('of one action is none for another', () =>
    withAgent(async (parts, machine, id) => {
      const other = newId()
      await parts.order({ offers: [offerOf(id)] }, null)
      await parts.order({ offers: [offerOf(other)] })
      await until('the start', () => machine.starts(other) === 1)
      await awhile()
      assert.equal(machine.starts(id), 0)
    }))
})

describe('an action', () => {
  test('has its scope before its start is on disk, and its start on disk before it runs', () =>
    withAgent(async (parts, machine, id) => {
      let known: unknown = null
      machine.before.start = async () => {
        known = (await parts.journal.find(id))?.verdict?.verdict
        assert.ok(machine.scopeOf(id).exists)
      }
      await parts.start(id)
      assert.equal(known, 'start')
      assert.deepEqual(machine.calls, ['make', 'start'])
      assert.deepEqual(
        parts.told(id).map(({ kind }) => kind),
        ['started'],
      )
    }))

  test('that ends by itself is told as ended, then as finished', () =>
    withAgent(async (parts, machine, id) => {
      await parts.start(id)
      await machine.exit(id, 3)
      const outcome = await parts.outcome(id)
      assert.equal(outcome.kind === 'finished' && outcome.outcome, 'succeeded')
      assert.deepEqual(
        parts.told(id).map(({ kind }) => kind),
        ['started', 'ended', 'finished'],
      )
    }))

  test('overruns its limit: ended, and told as timed out', () =>
    withAgent(async (parts, machine, id) => {
      await parts.start(id, 200)
      const outcome = await parts.outcome(id)
      assert.equal(outcome.kind === 'finished' && outcome.outcome, 'timed_out')
      assert.equal(machine.isAlive(id), false)
    }))

  test('is left running when the agent leaves; the next one takes it up and runs nothing twice', () =>
    inFolder(async (folder) => {
      const machine = new Machine()
      const id = newId()
      const first = await openParts(folder, machine)
      await first.start(id)
      await first.runner.shutdown()
      assert.equal(machine.isAlive(id), true)

      const second = await openParts(folder, machine)
      await machine.exit(id, 0)
      const outcome = await second.outcome(id)
      assert.equal(outcome.kind === 'finished' && outcome.outcome, 'succeeded')
      assert.equal(machine.starts(id), 1)
    }))

  test('keeps the limit that it had: time under an earlier agent counts, asleep or awake', () =>
    inFolder(async (folder) => {
      const machine = new Machine()
      const id = newId()
      const first = await openParts(folder, machine)
      await first.start(id, 600_000)
      await first.runner.shutdown()

      machine.seconds += 601
      const outcome = await (await openParts(folder, machine)).outcome(id)
      assert.equal(outcome.kind === 'finished' && outcome.outcome, 'timed_out')
    }))

  test('is interrupted by a reboot: failed, and never run again', () =>
    inFolder(async (folder) => {
      const machine = new Machine()
      const id = newId()
      const first = await openParts(folder, machine)
      await first.start(id)
      await first.runner.shutdown()

      machine.reboot()
      const outcome = await (await openParts(folder, machine)).outcome(id)
      assert.equal(outcome.kind === 'finished' && outcome.outcome, 'failed')
      assert.equal(machine.starts(id), 1)
    }))
})

describe('a cancel', () => {
  test('before the start: refused_start, and it never starts, with whatever permission', () =>
    withAgent(async (parts, machine, id) => {
      await parts.order({ offers: [offerOf(id)] }, null)
      await parts.order({ cancels: [id] })
      assert.equal((await parts.outcome(id)).kind, 'refused_start')
      await parts.order({ starts: [id] })
      await awhile()
      assert.equal(machine.starts(id), 0)
      assert.equal(machine.scopeOf(id).exists, false)
    }))

  test('while the script is being fetched: the fetch is given up', () =>
    inFolder(async (folder) => {
      const machine = new Machine()
      const script = Promise.withResolvers<void>()
      const parts = await openParts(folder, machine, { fetch: () => script.promise })
      const id = newId()
      await parts.order({ offers: [offerOf(id)] })
      await parts.order({ cancels: [id] })
      script.resolve()
      assert.equal((await parts.outcome(id)).kind, 'refused_start')
      assert.equal(machine.starts(id), 0)
    }))

  test('while it runs: taken into the journal, acknowledged, frozen, ended, proven; in this order', () =>
    withAgent(async (parts, machine, id) => {
      await parts.start(id)
      let onDisk: unknown = null
      machine.before.freeze = async () => void (onDisk = (await parts.journal.find(id))?.cancelledAt)
      await parts.order({ cancels: [id] })
      const outcome = await parts.outcome(id)

      assert.equal(typeof onDisk, 'string')
      assert.deepEqual(machine.calls, ['make', 'start', 'freeze', 'end'])
      assert.equal(outcome.kind === 'stopped' && outcome.proof, 'stopped')
      assert.deepEqual(
        parts.told(id).map(({ kind }) => kind),
        ['started', 'cancel_acknowledged', 'stopped'],
      )
      assert.equal(machine.isAlive(id), false)
    }))

  test('that comes twice is taken once', () =>
    withAgent(async (parts, _machine, id) => {
      await parts.start(id)
      await parts.order({ cancels: [id] })
      await parts.order({ cancels: [id] })
      await parts.outcome(id)
      assert.equal(parts.told(id).filter(({ kind }) => kind === 'cancel_acknowledged').length, 1)
      assert.equal(parts.told(id).filter(({ kind }) => kind === 'stopped').length, 1)
    }))

  test('that is asked for again after its end was heard is answered once more, and not a third time', () =>
    withAgent(async (parts, _machine, id) => {
      await parts.start(id)
      await parts.order({ cancels: [id] })
      await parts.outcome(id)
      const stopped = (): number => parts.told(id).filter(({ kind }) => kind === 'stopped').length
      await parts.order({ acknowledged: 3 })
      assert.equal(stopped(), 0, 'heard, and said no more')
      await parts.order({ cancels: [id], acknowledged: 3 })
      assert.equal(stopped(), 1)
      await parts.order({ acknowledged: 4 })
      await parts.order({ cancels: [id], acknowledged: 4 })
      assert.equal(stopped(), 0)
    }))

  test('meets an exit that was on disk before the freeze: too late, the work had finished', () =>
    withAgent(async (parts, machine, id) => {
      await parts.start(id)
      machine.before.freeze = () => machine.exit(id, 0)
      await parts.order({ cancels: [id] })
      const outcome = await parts.outcome(id)
      assert.equal(outcome.kind === 'finished' && outcome.outcome, 'succeeded')
    }))

  test('meets an exit that comes on disk after the freeze: stopped, it was we who ended it', () =>
    withAgent(async (parts, machine, id) => {
      await parts.start(id)
      // What was under way in the kernel when the freeze took hold.
      machine.before.end = () => writeFile(join(machine.scopeOf(id).folder, 'exit'), '0\n')
      await parts.order({ cancels: [id] })
      const outcome = await parts.outcome(id)
      assert.equal(outcome.kind, 'stopped')
      assert.ok(existsSync(join(machine.scopeOf(id).folder, 'exit')))
    }))

  test('of something unkillable: said once, tried on and on, and never called stopped before it is', () =>
    withAgent(async (parts, machine, id) => {
      await parts.start(id)
      machine.unkillable = 2
      await parts.order({ cancels: [id] })
      await until('the second try', () => machine.unkillable === 0)
      assert.equal((await parts.journal.find(id))?.outcome, null)
      assert.equal(parts.told(id).at(-1)?.kind, 'unkillable')

      assert.equal((await parts.outcome(id)).kind, 'stopped')
      const kinds = parts.told(id).map(({ kind }) => kind)
      assert.deepEqual(kinds, ['started', 'cancel_acknowledged', 'unkillable', 'stopped'])
    }))

  test('lists what had left the scope', () =>
    withAgent(async (parts, machine, id) => {
      await parts.start(id)
      machine.strays = [{ pid: 77, command: 'escaped --far' }]
      await parts.order({ cancels: [id] })
      const outcome = await parts.outcome(id)
      assert.match(outcome.kind === 'stopped' ? outcome.residues.join() : '', /77 escaped --far/)
    }))

  test('is in the journal when the agent dies: the next one ends it before it judges', () =>
    inFolder(async (folder) => {
      const machine = new Machine()
      const id = newId()
      const first = await openParts(folder, machine)
      await first.start(id)
      machine.unkillable = 1_000
      await first.order({ cancels: [id] })
      await until('a try', () => machine.unkillable < 1_000)
      await first.runner.shutdown()

      machine.unkillable = 0
      const second = await openParts(folder, machine)
      assert.equal((await second.outcome(id)).kind, 'stopped')
      assert.equal(machine.isAlive(id), false)
    }))

  test('is in the journal when the host reboots: nothing of it is left, stopped', () =>
    inFolder(async (folder) => {
      const machine = new Machine()
      const id = newId()
      const first = await openParts(folder, machine)
      await first.start(id)
      machine.unkillable = 1_000
      await first.order({ cancels: [id] })
      await until('a try', () => machine.unkillable < 1_000)
      await first.runner.shutdown()

      machine.reboot()
      machine.unkillable = 0
      const second = await openParts(folder, machine)
      assert.equal((await second.outcome(id)).kind, 'stopped')
      assert.equal(machine.starts(id), 1)
    }))
})
