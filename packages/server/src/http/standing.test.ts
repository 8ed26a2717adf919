/** How new what is known of an application must be, whatever look is under way. */
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, test } from 'vitest'
import type { App } from '../app/ports.ts'
import type { Standing } from '../app/rows.ts'
import { memoryBus } from '../bus/memory.ts'
import { serverChain } from '../core/chain.ts'
import { openStanding, type StandingOf } from './standing.ts'

type Look = PromiseWithResolvers<ReadonlyMap<string, Standing>> & { readonly ids: readonly string[] }

interface Trial {
  readonly standingOf: StandingOf
  /** Those that have begun. */
  readonly looks: Look[]
  /** Ends a look with what it saw. */
  readonly saw: (look: number, isEnabled: boolean) => Promise<void>
  /** As a commit does. */
  readonly change: (chain?: string) => void
}

function open(isShared: boolean): Trial {
  const looks: Look[] = []
  const read = (_name: string, ids: readonly string[]): unknown => {
    const look = { ids, ...Promise.withResolvers<ReadonlyMap<string, Standing>>() }
    looks.push(look)
    return look.promise
  }
  const bus = memoryBus()
  const store = { isShared, read } as unknown as App['store']
  return {
    standingOf: openStanding({ store, bus }),
    looks,
    saw: async (number, isEnabled) => {
      const look = looks[number]
      assert.ok(look !== undefined, 'this look has begun')
      look.resolve(new Map(look.ids.map((id) => [id, { name: id, isEnabled, permissions: [] }])))
      await turn()
    },
    change: (chain = serverChain) =>
      bus.publish({ actions: [], ended: [], wake: [chain], alarms: [], cancels: [] }),
  }
}

const enabled = async (standing: Promise<Standing | null>): Promise<boolean | undefined> =>
  (await standing)?.isEnabled

describe.each([true, false])('on a database that others write to: %s', (isShared) => {
  test('all that wait share one look, and one is under way at a time', async () => {
    const { standingOf, looks, saw } = open(isShared)
    const first = standingOf('a')
    await turn()
    const later = [standingOf('a'), standingOf('b'), standingOf('B')]
    await turn()
    assert.equal(looks.length, 1)
    await saw(0, true)
    assert.equal(await enabled(first), true)
    assert.deepEqual(looks[1]?.ids, ['a', 'b'])
    await saw(1, false)
    assert.deepEqual(await Promise.all(later.map(enabled)), [false, false, false])
  })

  test('who asks after a change never gets what a look before it saw', async () => {
    const { standingOf, saw, change } = open(isShared)
    const before = standingOf('a')
    await turn()
    change()
    const after = standingOf('a')
    await saw(0, true)
    assert.equal(await enabled(before), true)
    await saw(1, false)
    assert.equal(await enabled(after), false)
  })

  test('a look that a change has overtaken is not remembered', async () => {
    const { standingOf, looks, saw, change } = open(isShared)
    const before = standingOf('a')
    await turn()
    change()
    await saw(0, true)
    assert.equal(await enabled(before), true)
    const after = standingOf('a')
    await turn()
    assert.equal(looks.length, 2)
    await saw(1, false)
    assert.equal(await enabled(after), false)
  })

  test('who is not there is looked for each time', async () => {
    const { standingOf, looks } = open(isShared)
    for (const number of [0, 1]) {
      const asked = standingOf('a')
      await turn()
      looks[number]?.resolve(new Map())
      assert.equal(await asked, null)
    }
  })
})

test('where nobody else writes, what was seen holds until a change in the server’s own history', async () => {
  const { standingOf, looks, saw, change } = open(false)
  const first = standingOf('a')
  await turn()
  await saw(0, true)
  await first
  change('a device')
  assert.equal(await enabled(standingOf('a')), true)
  assert.equal(looks.length, 1)
  change()
  const next = standingOf('a')
  await turn()
  await saw(1, false)
  assert.equal(await enabled(next), false)
})

test('where others write, each request is looked for', async () => {
  const { standingOf, looks, saw } = open(true)
  for (const number of [0, 1]) {
    const asked = standingOf('a')
    await turn()
    assert.equal(looks.length, number + 1)
    await saw(number, number === 0)
    assert.equal(await enabled(asked), number === 0)
  }
})
