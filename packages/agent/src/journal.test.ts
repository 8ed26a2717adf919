/** What is on disk is whole, is decided once, and outlives whoever wrote it. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, readdirSync, rmSync, utimesSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { News } from '@countermand/contract'
import { assert as check, asyncProperty, boolean, integer, option } from 'fast-check'
import { describe, test } from 'vitest'
import { openJournal, type Verdict } from './journal.ts'
import { inFolder, newId, offerOf } from './testing/fakes.ts'

const start: Verdict = { verdict: 'start', scope: 'scope/x', bootId: 'boot-1', bootSeconds: 1, at: 'now' }
const withdrawn: Verdict = { verdict: 'withdrawn', at: 'now' }
const ended = (action: string): News => ({
  kind: 'finished',
  action,
  outcome: 'succeeded',
  detail: null,
  commands: [],
})

describe('an action in the journal', () => {
  test('is accepted once: a second offer of the same id changes nothing', () =>
    inFolder(async (folder) => {
      const [journal, id] = [await openJournal(folder), newId()]
      assert.equal(await journal.accept(offerOf(id, 1_000)), true)
      assert.equal(await journal.accept(offerOf(id, 2_000)), false)
      assert.equal((await journal.find(id))?.offer.runLimitMs, 1_000)
      assert.equal((await (await openJournal(folder)).all()).length, 1)
    }))

  test('is there for the next agent, with every step that was taken', () =>
    inFolder(async (folder) => {
      const [journal, id] = [await openJournal(folder), newId()]
      await journal.accept(offerOf(id))
      await journal.decide(id, start)
      await journal.takeCancel(id, { at: '2026-02-03T04:05:06.000Z', graceMs: 0 })
      await journal.conclude(id, ended(id))
      const [record] = await (await openJournal(folder)).all()
      assert.deepEqual(record?.verdict, start)
      assert.equal(record.cancelledAt, '2026-02-03T04:05:06.000Z')
      assert.deepEqual(record.outcome, ended(id))
    }))

  test.each(['../escape', '', '.', `${newId()}/x`, 'A'.repeat(36)])('has an id and no path: %j', (id) =>
    inFolder(async (folder) => {
      const journal = await openJournal(folder)
      await assert.rejects(journal.accept(offerOf(id)))
      await assert.rejects(async () => journal.find(id))
      assert.deepEqual(readdirSync(join(folder, 'journal')), [])
    }),
  )
})

test('start and cancel: in either order and at once, exactly one of them wins, and both see the same', () =>
  inFolder(async (folder) => {
    const journal = await openJournal(folder)
    const round = async (startFirst: boolean, apartMs: number | null): Promise<void> => {
      const id = newId()
      await journal.accept(offerOf(id))
      const [one, two] = startFirst ? [start, withdrawn] : [withdrawn, start]
      const first = journal.decide(id, one)
      if (apartMs !== null) await pause(apartMs)
      const won = await Promise.all([first, journal.decide(id, two)])

      assert.equal(won.filter(Boolean).length, 1, `both or neither: ${JSON.stringify(won)}`)
      const winner = won[0] ? one : two
      assert.deepEqual((await journal.find(id))?.verdict, winner)
      assert.equal(await journal.decide(id, one), false, 'it is decided')
    }
    const rounds = asyncProperty(boolean(), option(integer({ min: 0, max: 4 })), round)
    // On failure fast-check names the seed.
    await check(rounds, { numRuns: 100, endOnFailure: true })
  }))

describe('a crash', () => {
  test('leaves a torn draft beside a file: it is passed over, everywhere', () =>
    inFolder(async (folder) => {
      const [journal, held, dropped] = [await openJournal(folder), newId(), newId()]
      await journal.accept(offerOf(held))
      await journal.accept(offerOf(dropped))
      await journal.conclude(dropped, ended(dropped))
      await journal.drop(dropped)
      const torn = `.tmp-${newId()}`
      for (const name of ['verdict.json', 'cancel.json', 'outcome.json'])
        writeFileSync(join(folder, 'journal', held, name + torn), '{"verd')
      writeFileSync(join(folder, 'remembered', `${held}.json${torn}`), '{"at":17')
      writeFileSync(join(folder, `relisted.json${torn}`), '["')

      const next = await openJournal(folder)
      const [record, ...more] = await next.all()
      assert.deepEqual(more, [])
      assert.deepEqual([record?.verdict, record?.cancelledAt, record?.outcome], [null, null, null])
      assert.equal(await next.remembered(held), null)
      assert.deepEqual(await next.relist(), [ended(dropped)])
      assert.deepEqual(await next.relisted(), [dropped])
    }))

  test('before the offer is whole: it was never accepted, and can be', () =>
    inFolder(async (folder) => {
      const [journal, id] = [await openJournal(folder), newId()]
      mkdirSync(join(folder, 'journal', id))
      writeFileSync(join(folder, 'journal', id, `offer.json.tmp-${newId()}`), '{"id":')
      assert.deepEqual(await journal.all(), [])
      assert.equal(await journal.find(id), null)
      assert.equal(await journal.accept(offerOf(id)), true)
    }))

  test('while an action is forgotten, after any step of it: it is over or unknown, never to be begun', () =>
    inFolder(async (folder) => {
      const [journal, id] = [await openJournal(folder), newId()]
      await journal.accept(offerOf(id))
      await journal.decide(id, start)
      await journal.takeCancel(id, { at: 'now', graceMs: 0 })
      await journal.conclude(id, ended(id))
      const place = join(folder, 'journal', id)
      const files = readdirSync(place).map((name) => [name, readFileSync(join(place, name))] as const)

      const order = await removalsIn(place, () => journal.drop(id))
      for (const step of order.keys()) {
        mkdirSync(place)
        const gone = order.slice(0, step + 1)
        for (const [name, content] of files)
          if (!gone.includes(name)) writeFileSync(join(place, name), content)
        const next = await openJournal(folder)
        const record = await next.find(id)
        assert.ok(record === null || record.outcome !== null, `after ${gone.join(', ')} went`)
        assert.deepEqual(await next.remembered(id), ended(id))
        rmSync(place, { recursive: true, force: true })
      }
    }))

  test('never makes half a file: what is there and cannot be read is damage, and said', () =>
    inFolder(async (folder) => {
      const [journal, id] = [await openJournal(folder), newId()]
      await journal.accept(offerOf(id))
      writeFileSync(join(folder, 'journal', id, 'verdict.json'), '')
      await assert.rejects(journal.all())
    }))
})

describe('what is forgotten', () => {
  test('leaves a line that says how it ended, for every later agent', () =>
    inFolder(async (folder) => {
      const [journal, id] = [await openJournal(folder), newId()]
      await journal.accept(offerOf(id))
      await journal.conclude(id, ended(id))
      await journal.drop(id)
      assert.deepEqual(await journal.all(), [])
      assert.deepEqual(await (await openJournal(folder)).remembered(id), ended(id))
      await journal.drop(id)
      assert.deepEqual(await journal.remembered(id), ended(id), 'forgetting twice loses nothing')
    }))

  test('is remembered for thirty days, and not for ever', () =>
    inFolder(async (folder) => {
      const journal = await openJournal(folder)
      const ids = [newId(), newId()]
      for (const id of ids) {
        await journal.accept(offerOf(id))
        await journal.conclude(id, ended(id))
        await journal.drop(id)
      }
      const [old = '', recent = ''] = ids
      const day = 24 * 60 * 60_000
      age(join(folder, 'remembered', `${old}.json`), 31 * day)
      age(join(folder, 'remembered', `${recent}.json`), 29 * day)
      const next = await openJournal(folder)
      assert.equal(await next.remembered(old), null)
      assert.deepEqual(await next.remembered(recent), ended(recent))
    }))

  test('is listed again to a restored server, until that says that it is final', () =>
    inFolder(async (folder) => {
      const journal = await openJournal(folder)
      const ids = [newId(), newId()].toSorted()
      for (const id of ids) {
        await journal.accept(offerOf(id))
        await journal.conclude(id, ended(id))
        await journal.drop(id)
      }
      assert.deepEqual(await journal.relisted(), [])
      assert.equal((await journal.relist()).length, 2)
      await journal.settle(ids[0] ?? '')
      assert.deepEqual(await (await openJournal(folder)).relisted(), ids.slice(1))
    }))
})

/** As if it had been written that long ago. */
function age(file: string, ms: number): void {
  const line: { at: number } = JSON.parse(readFileSync(file, 'utf8'))
  rmSync(file)
  writeFileSync(file, JSON.stringify({ ...line, at: line.at - ms }))
  utimesSync(file, (Date.now() - ms) / 1000, (Date.now() - ms) / 1000)
}

/** The names of the files that go from a folder, in order. */
async function removalsIn(folder: string, work: () => Promise<void>): Promise<readonly string[]> {
  const names: string[] = []
  const watcher = watch(folder, (_, name) => {
    if (name !== null && name.endsWith('.json') && !names.includes(name)) names.push(name)
  })
  await work()
  // Events come when they come.
  await pause(100)
  watcher.close()
  return names
}
