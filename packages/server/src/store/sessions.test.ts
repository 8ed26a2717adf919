/** The list by which open live responses are counted: it may say more than is so, and costs as much as it says. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'vitest'
import type { ActionEvent, Order } from '../core/action-shape.ts'
import { onEachDatabase } from '../testing/databases.ts'
import { numbers } from '../testing/dice.ts'
import { openTestStore, orderOf, type TestStore } from '../testing/store.ts'

type Kind = ActionEvent['kind']
const scan = { type: 'RunAntiVirusScan', parameters: { scanType: 'Quick' } } as const

/** How an action gets to a place of its life, and whether it counts there. */
const lives: readonly (readonly [string, readonly Kind[], boolean, Partial<Order>?])[] = [
  ['queued', [], true],
  ['offered', ['offered'], true],
  ['accepted', ['offered', 'accepted'], true],
  ['running', ['offered', 'started'], true],
  ['settling', ['offered', 'started', 'ended'], true],
  ['of a scan', [], false, scan],
  ['queued, cancelled', ['cancel_requested'], false],
  ['offered, cancel asked', ['offered', 'cancel_requested'], false],
  ['running, cancel asked', ['offered', 'started', 'cancel_requested'], false],
  ['running, cannot be stopped', ['offered', 'started', 'cancel_requested', 'cannot_stop'], false],
  ['running, forced', ['offered', 'started', 'cancel_requested', 'forced'], false],
  ['stopped', ['offered', 'started', 'cancel_requested', 'stopped'], false],
  ['succeeded', ['offered', 'started', 'finished'], false],
]

function eventOf(kind: Kind): ActionEvent {
  const said = { commands: [], residues: [], proof: 'stopped', outcome: 'succeeded', detail: null }
  return { kind, by: 'ann', comment: 'mistake', reason: 'user', ...said } as unknown as ActionEvent
}

onEachDatabase((database) => {
  let store: TestStore
  beforeEach(async () => {
    store = await openTestStore(database)
  })
  afterEach(() => store.close())

  const make = async (id: string, kinds: readonly Kind[] = [], more: Partial<Order> = {}): Promise<void> => {
    await store.write('makeAction', { order: { ...orderOf(id, `device of ${id}`), ...more }, commands: [] })
    for (const kind of kinds) await store.write('move', { id, event: eventOf(kind) })
  }
  const counted = async (most: number) => (await store.write('sessions', most)).map(({ id }) => id)
  const listed = () =>
    store.rows.all('select id from actions where maybe_session = 1 order by n').map(({ id }) => id)

  test('those count that are open and in the way of others, the oldest first', async () => {
    for (const [place, kinds, , more] of lives) await make(place, kinds, more)
    const expected = lives.filter(([, , counts]) => counts).map(([place]) => place)
    assert.deepEqual(await counted(100), expected)
    assert.deepEqual(listed(), expected, 'and whoever counted has taken off the others')
  })

  test('no step writes the list, and every one that counts is in it', async () => {
    for (const [place, kinds] of lives.filter((life) => life[3] === undefined)) {
      const before = listed()
      await make(place, kinds)
      assert.deepEqual(listed(), [...before, place])
    }
  })

  test('no more are looked for than are asked for, however many are over among them', async () => {
    const ids = numbers(40).map((n) => `one-${n}`)
    for (const [n, id] of ids.entries()) await make(id, n % 2 === 0 ? ['cancel_requested'] : [])
    const open = ids.filter((_, n) => n % 2 === 1)
    assert.deepEqual(await counted(1), open.slice(0, 1))
    assert.ok(listed().length >= 38, 'the rest was not looked at')
    assert.deepEqual(await counted(7), open.slice(0, 7))
    assert.deepEqual(await counted(20), open)
    assert.deepEqual(await counted(21), open)
    assert.deepEqual(listed(), open)
  })

  test('who comes by for the device, or at the deadline, takes off what is over', async () => {
    await make('synced', ['cancel_requested'])
    await make('expired', ['cancel_requested'])
    await make('waits')
    await store.write('liveOf', 'device of synced')
    assert.deepEqual(listed(), ['expired', 'waits'])
    await store.write('expireAction', 'expired')
    await store.write('expireAction', 'waits')
    assert.deepEqual(listed(), ['waits'])
  })

  if (database.name === 'SQLite')
    test('the list is read by its index', () => {
      const query = 'select * from actions where maybe_session = 1 and n > 0 order by n limit 25'
      const plan = store.rows.all(`explain query plan ${query}`).map(({ detail }) => detail)
      assert.deepEqual(plan, ['SEARCH actions USING INDEX actions_session (n>?)'])
    })
})
