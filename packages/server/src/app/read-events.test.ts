/** What may still come is waited for; what never comes is passed. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { App } from './ports.ts'
import { eventsAfter } from './read-events.ts'

const now = new Date('2026-02-03T04:05:06Z')

/** The numbers that are told after `place`, of a database that holds these, by their age in milliseconds. */
async function toldAfter(place: number, ages: Readonly<Record<number, number>>): Promise<readonly number[]> {
  const rows = Object.entries(ages).map(([n, age]) => ({ n: Number(n), at: new Date(now.getTime() - age) }))
  const read = (_name: string, asked: { place: number }): Promise<unknown> =>
    Promise.resolve(rows.filter(({ n }) => n > asked.place))
  const app = { store: { read }, now: () => now } as unknown as App
  return (await eventsAfter(app, place)).map(({ n }) => n)
}

test.each<[string, number, Record<number, number>, readonly number[]]>([
  ['without a gap all is told, however young', 3, { 4: 0, 5: 0 }, [4, 5]],
  ['nothing is told beyond a number that another node may yet commit', 3, { 4: 0, 6: 0, 7: 0 }, [4]],
  ['nor where it is the first that is missing', 3, { 5: 4_999 }, []],
  ['what is not there after five seconds was taken back', 3, { 5: 5_000, 6: 0 }, [5, 6]],
  ['a gap that is passed does not open the next', 3, { 5: 9_000, 7: 10 }, [5]],
])('%s', async (_, place, ages, told) => {
  assert.deepEqual(await toldAfter(place, ages), told)
})
