/** What a reply orders, against everything that a journal may hold. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { News } from '@countermand/contract'
import { assert as check, asyncProperty, integer } from 'fast-check'
import { describe, test } from 'vitest'
import { listHeld } from './orders.ts'
import { Machine, inFolder, newId, offerOf, until } from './testing/fakes.ts'
import { openParts, type Parts, type PartsOptions } from './testing/parts.ts'

const withAgent = (
  inside: (parts: Parts, machine: Machine, folder: string) => Promise<void>,
  options: PartsOptions = {},
): Promise<void> =>
  inFolder(async (folder) => {
    const machine = new Machine()
    const parts = await openParts(folder, machine, options)
    await inside(parts, machine, folder)
    await parts.runner.shutdown()
  })

const awhile = (): Promise<void> => pause(60)
const lastOf = ({ news }: Parts): number => news.pending().at(-1)?.n ?? 0

/** An action that has run to its end, was heard, and is forgotten but for a line. */
async function forgotten(parts: Parts, machine: Machine, id: string): Promise<News> {
  await parts.start(id)
  await machine.exit(id, 0)
  const outcome = await parts.outcome(id)
  await parts.order({ acknowledged: lastOf(parts), finals: [id] })
  assert.equal(await parts.journal.find(id), null)
  return outcome
}

/** Says that it is final, as often as it takes. */
async function forgetFinal(parts: Parts, id: string): Promise<void> {
  await until('it to be forgotten', async () => {
    await parts.order({ acknowledged: lastOf(parts), finals: [id] })
    return (await parts.journal.find(id)) === null
  })
}

async function letGoAt(fetchMs: number, finalMs: number): Promise<void> {
  const inside = async (parts: Parts, machine: Machine): Promise<void> => {
    const id = newId()
    await parts.order({ offers: [offerOf(id)] }, null)
    await pause(finalMs)
    const told = new Set<string>()
    await until('it to be forgotten', async () => {
      for (const { kind } of parts.told(id)) told.add(kind)
      await parts.order({ acknowledged: lastOf(parts), finals: [id] })
      return (await parts.journal.find(id)) === null
    })
    await until(
      'its scope to be removed',
      () => !machine.calls.includes('make') || !machine.scopeOf(id).exists,
    )
    assert.equal(machine.starts(id), 0)
    assert.ok(!told.has('finished') && !told.has('started'), [...told].join())
  }
  await withAgent(inside, { fetch: () => pause(fetchMs) })
}

describe('an offer', () => {
  test('of an action that is held is not taken a second time', () =>
    withAgent(async (parts, machine) => {
      const id = newId()
      await parts.start(id)
      await parts.order({ offers: [offerOf(id)] })
      await awhile()
      assert.equal(machine.starts(id), 1)
    }))

  test('of an action that is remembered is never run again: how it ended is told anew', () =>
    withAgent(async (parts, machine, folder) => {
      const id = newId()
      const outcome = await forgotten(parts, machine, id)
      await parts.order({ offers: [offerOf(id)], starts: [id] })
      await awhile()
      assert.equal(machine.starts(id), 1)
      assert.equal(await parts.journal.find(id), null)
      assert.deepEqual(
        parts.told(id).map(({ kind }) => kind),
        [outcome.kind],
      )

      const next = await openParts(folder, machine)
      await next.order({ offers: [offerOf(id)], starts: [id] })
      await awhile()
      assert.equal(machine.starts(id), 1)
      await next.runner.shutdown()
    }))

  test('comes with its cancel in the same reply: cancels are obeyed first, and the next list shows it', () =>
    withAgent(async (parts, machine) => {
      const id = newId()
      await parts.order({ cancels: [id] })
      assert.deepEqual(await listHeld(parts.journal), [])
      assert.deepEqual(parts.news.pending(), [])
      assert.equal(machine.starts(id), 0)
    }))
})

describe('a cancel', () => {
  test('of what was never accepted leaves no trace: that it is not in the next list is its proof', () =>
    withAgent(async (parts) => {
      const id = newId()
      await parts.order({ cancels: [id] })
      assert.equal(await parts.journal.find(id), null)
      assert.deepEqual(parts.news.pending(), [])
    }))

  test('of what ran and was forgotten is answered with how it ended, never with silence', () =>
    withAgent(async (parts, machine) => {
      const id = newId()
      const outcome = await forgotten(parts, machine, id)
      await parts.order({ cancels: [id] })
      const [again] = parts.told(id)
      assert.equal(again?.kind, outcome.kind)
    }))

  test('of what is over changes nothing', () =>
    withAgent(async (parts, machine) => {
      const id = newId()
      await parts.start(id)
      await machine.exit(id, 0)
      const outcome = await parts.outcome(id)
      await parts.order({ cancels: [id] })
      assert.deepEqual(await parts.outcome(id), outcome)
      assert.equal((await parts.journal.find(id))?.cancelledAt, null)
    }))

  test('of one action leaves the others alone', () =>
    withAgent(async (parts, machine) => {
      const [one, other] = [newId(), newId()]
      await parts.start(one)
      await parts.start(other)
      await parts.order({ cancels: [one] })
      await parts.outcome(one)
      assert.equal(machine.isAlive(other), true)
      assert.equal((await parts.journal.find(other))?.cancelledAt, null)
    }))
})

describe('what is final at the server', () => {
  test('is forgotten when it is over and all of it was heard, and not before', () =>
    withAgent(async (parts, machine) => {
      const id = newId()
      await parts.start(id)
      await machine.exit(id, 0)
      await parts.outcome(id)
      const last = lastOf(parts)
      await parts.order({ acknowledged: last - 1, finals: [id] })
      assert.notEqual(await parts.journal.find(id), null, 'its last word was not heard')
      await parts.order({ acknowledged: last, finals: [id] })
      assert.equal(await parts.journal.find(id), null)
      assert.equal((await parts.journal.remembered(id))?.kind, 'finished')
    }))

  test('and runs on here, is not forgotten: it goes on to its own end and is told late', () =>
    withAgent(async (parts, machine) => {
      const id = newId()
      await parts.start(id)
      await parts.order({ acknowledged: lastOf(parts), finals: [id] })
      assert.equal(machine.isAlive(id), true)
      assert.deepEqual(await listHeld(parts.journal), [{ id, state: 'started' }])
      await machine.exit(id, 0)
      assert.equal((await parts.outcome(id)).kind, 'finished')
    }))

  test('and has not begun here, will not: withdrawn, its scope removed, whatever may start', () =>
    withAgent(async (parts, machine) => {
      const id = newId()
      await parts.order({ offers: [offerOf(id)] }, null)
      await until('the scope', () => machine.calls.includes('make'))
      await forgetFinal(parts, id)
      await parts.order({ starts: [id] })
      await awhile()
      assert.equal(machine.starts(id), 0)
      assert.equal(machine.scopeOf(id).exists, false)
    }))

  test('and has not begun here, at every distance: nothing starts, nothing is left, nothing untrue is told', async () => {
    const ms = integer({ min: 0, max: 10 })
    await check(asyncProperty(ms, ms, letGoAt), { numRuns: 60, endOnFailure: true })
  })

  test('is not said to be held to a restored server for ever', () =>
    withAgent(async (parts, machine) => {
      const id = newId()
      await forgotten(parts, machine, id)
      await parts.order({ epoch: 'epoch-2' })
      assert.deepEqual(await listHeld(parts.journal), [{ id, state: 'over' }])
      assert.equal(parts.told(id).at(-1)?.kind, 'finished')
      await parts.order({ acknowledged: lastOf(parts), finals: [id] })
      assert.deepEqual(await listHeld(parts.journal), [])
      assert.notEqual(await parts.journal.remembered(id), null)
    }))
})

test('every action that is held is listed, with where it stands', () =>
  withAgent(async (parts, machine) => {
    const [accepted, started, over] = [newId(), newId(), newId()]
    await parts.start(over)
    await machine.exit(over, 0)
    await parts.outcome(over)
    await parts.start(started)
    await parts.order({ offers: [offerOf(accepted)] }, null)
    const list = (await listHeld(parts.journal)).map(({ id, state }) => [id, state] as const)
    assert.deepEqual(
      new Map(list),
      new Map([
        [accepted, 'accepted'],
        [started, 'started'],
        [over, 'over'],
      ]),
    )
  }))

async function race(fetchMs: number, cancelMs: number, startMs: number): Promise<void> {
  const inside = async (parts: Parts, machine: Machine): Promise<void> => {
    const id = newId()
    machine.before.start = () => pause(startMs)
    await parts.order({ offers: [offerOf(id)] })
    if (cancelMs > 0) await pause(cancelMs)
    await parts.order({ cancels: [id] })
    const { kind } = await parts.outcome(id)
    const verdict = (await parts.journal.find(id))?.verdict?.verdict

    assert.equal(machine.isAlive(id), false)
    assert.equal(machine.scopeOf(id).exists, false)
    assert.ok(machine.starts(id) <= 1)
    if (kind === 'refused_start') assert.deepEqual([verdict, machine.starts(id)], ['withdrawn', 0])
    else assert.deepEqual([kind, verdict], ['stopped', 'start'])
    const words = parts.told(id).map((item) => item.kind)
    assert.equal(words.at(-1), kind)
    // Which of these two is first, the two are free to decide.
    const others = kind === 'stopped' ? ['cancel_acknowledged', 'started'] : []
    assert.deepEqual(words.slice(0, -1).toSorted(), others)
  }
  await withAgent(inside, { fetch: () => pause(fetchMs) })
}

test('start and cancel, a hundred times at every distance: never started and refused, or started and stopped', async () => {
  const ms = integer({ min: 0, max: 12 })
  const rounds = asyncProperty(ms, ms, integer({ min: 0, max: 6 }), race)
  // On failure fast-check names the seed.
  await check(rounds, { numRuns: 100, endOnFailure: true })
})
