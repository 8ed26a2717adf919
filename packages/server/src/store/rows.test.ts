/** What the store hands out: in which order, which of them, and just as it was put in. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, beforeEach, test } from 'vitest'
import type { ActionEvent } from '../core/action-shape.ts'
import { onEachDatabase } from '../testing/databases.ts'
import { numbers } from '../testing/dice.ts'
import { day, minute, start } from '../testing/server.ts'
import { deviceOf, openTestStore, orderOf, type TestStore } from '../testing/store.ts'
import { digestOf } from './events.ts'

/** How an action gets to each place of its life, and whether the device must still be told something of it. */
const lives: Readonly<
  Record<string, { readonly events: readonly ActionEvent['kind'][]; readonly live: boolean }>
> = {
  queued: { events: [], live: true },
  offered: { events: ['offered'], live: true },
  accepted: { events: ['offered', 'accepted'], live: true },
  running: { events: ['offered', 'accepted', 'started'], live: true },
  settling: { events: ['offered', 'started', 'ended'], live: true },
  'running, cancel asked': { events: ['offered', 'started', 'cancel_requested'], live: true },
  'cancelled, never offered': { events: ['cancel_requested'], live: false },
  succeeded: { events: ['offered', 'started', 'finished'], live: false },
  'succeeded, cancel too late': {
    events: ['offered', 'started', 'cancel_requested', 'finished'],
    live: false,
  },
  stopped: { events: ['offered', 'started', 'cancel_requested', 'stopped'], live: false },
  forced: { events: ['offered', 'started', 'cancel_requested', 'forced'], live: true },
  'forced, then the device has heard': {
    events: ['offered', 'started', 'cancel_requested', 'forced', 'cancel_acknowledged'],
    live: false,
  },
}

function eventOf(kind: ActionEvent['kind']): ActionEvent {
  const said = { commands: [], residues: [], proof: 'stopped', outcome: 'succeeded', detail: null }
  return { kind, by: 'ann', comment: 'mistake', reason: 'user', ...said } as unknown as ActionEvent
}

/** So long before the tests begin that its action is overdue. */
const past = (minutes: number): Date => new Date(start.getTime() - 40 * day - minutes * minute)
const idsOf = (list: readonly { readonly id: string }[]): readonly string[] => list.map(({ id }) => id)
const causeOf = (jws: string, seq = 1) => ({ jws, seq, digest: digestOf(jws) })

/** Text that databases trip over. */
const awkward = `Zoë's "№ 1" – 100 % \\ ; -- ✓ 𝕏 \r\n\t$1 ? :x {}`

onEachDatabase((database) => {
  let store: TestStore
  beforeAll(async () => {
    store = await openTestStore(database)
  })
  beforeEach(() => {
    store.clock.now = start
  })
  afterAll(() => store.close())

  const all = { filter: null, order: [], after: null, counts: false }
  const actions = async (page: { top: number; skip: number }) =>
    (await store.read('actions', { ...all, ...page })).items
  const devices = async (page: { top: number; skip: number }) =>
    (await store.read('devices', { ...all, ...page })).items
  const make = (id: string, machineId: string, createdAt = start) =>
    store.write('makeAction', { order: orderOf(id, machineId, createdAt), commands: [] })
  const live = async (
    id: string,
    machineId: string,
    kinds: readonly ActionEvent['kind'][],
  ): Promise<void> => {
    await make(id, machineId)
    for (const kind of kinds) await store.write('move', { id, event: eventOf(kind) })
  }

  test.each(Object.keys(lives))(
    'what a cancel of an action that is %s answers is what is kept',
    async (place) => {
      const id = `answered, ${place}`
      await live(id, 'answers', lives[place]?.events ?? [])
      const asked = {
        id,
        by: 'ann',
        comment: awkward,
        attest: null,
        expectedVersion: null,
        only: null,
        once: null,
      }
      const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
      const { action } = await store.write('requestCancel', { ...asked, graceMs: 5_000, limitMs: day, trace })
      assert.deepEqual(action, await store.read('action', id))
    },
  )

  test('actions are listed newest first, page by page', async () => {
    const ids = numbers(7).map((n) => `listed-${n}`)
    for (const id of ids) await make(id, 'lists')
    const newest = ids.toReversed()
    assert.deepEqual(idsOf(await actions({ top: 7, skip: 0 })), newest)
    assert.deepEqual(idsOf(await actions({ top: 3, skip: 2 })), newest.slice(2, 5))
    assert.deepEqual(await actions({ top: 0, skip: 0 }), [])
    assert.deepEqual(await actions({ top: 10, skip: 100_000 }), [])
    assert.deepEqual(idsOf(await actions({ top: 10_000, skip: 0 })).slice(0, 7), newest)
  })

  test('devices are listed newest first, page by page', async () => {
    const ids = numbers(5).map((n) => `listed-${n}`)
    for (const id of ids) await store.write('makeDevice', deviceOf(id))
    const newest = ids.toReversed()
    assert.deepEqual(idsOf(await devices({ top: 5, skip: 0 })), newest)
    assert.deepEqual(idsOf(await devices({ top: 2, skip: 1 })), newest.slice(1, 3))
  })

  test('live are the actions that are open, and those that ended while a cancel was undelivered', async () => {
    for (const [place, { events }] of Object.entries(lives)) await live(`live, ${place}`, 'lively', events)
    await live('of another', 'another', [])
    const expected = Object.entries(lives).filter((life) => life[1].live)
    assert.deepEqual(
      idsOf(await store.write('liveOf', 'lively')),
      expected.map(([place]) => `live, ${place}`),
      'these and no others, oldest first',
    )
  })

  test('open are the actions that have not ended', async () => {
    const open = Object.keys(lives).filter((place) =>
      /^(queued|offered|accepted|running|settling)/.test(place),
    )
    const found = idsOf(await store.read('openActions', null)).filter((id) => id.startsWith('live, '))
    assert.deepEqual(found.toSorted(), open.map((place) => `live, ${place}`).toSorted())
  })

  test('overdue are open actions whose deadline has come, the longest overdue first, and not all at once', async () => {
    for (const minutes of [2, 3, 1]) await make(`overdue-${minutes}`, 'late', past(minutes))
    await make('overdue-ended', 'late', past(4))
    await store.write('move', { id: 'overdue-ended', event: eventOf('cancel_requested') })
    await store.write('expireAction', 'overdue-ended')
    const due = async (minutesAgo: number, most: number) =>
      idsOf(await store.read('actionsToLookAt', { at: new Date(past(minutesAgo).getTime() + 3 * day), most }))
    assert.deepEqual(await due(1, 10), ['overdue-3', 'overdue-2', 'overdue-1'])
    assert.deepEqual(await due(2, 10), ['overdue-3', 'overdue-2'], 'a deadline has come at its very moment')
    assert.deepEqual(await due(1, 2), ['overdue-3', 'overdue-2'])
    assert.deepEqual(await due(4, 10), [])
  })

  test('an action is looked at by its deadline, however that moved, and no more once it has ended', async () => {
    const at = new Date(past(10).getTime() + 3 * day)
    const due = async () => idsOf(await store.read('actionsToLookAt', { at, most: 10 }))
    const look = async () => Promise.all((await due()).map((id) => store.write('expireAction', id)))
    store.clock.now = past(10)
    await make('sooner', 'moving', past(5))
    await make('later', 'moving', past(10))
    for (const kind of ['offered', 'started'] as const)
      await store.write('move', { id: 'sooner', event: eventOf(kind) })
    store.clock.now = new Date(past(10).getTime() + 1 * day)
    for (const kind of ['offered', 'cancel_requested'] as const)
      await store.write('move', { id: 'later', event: eventOf(kind) })
    assert.ok((await due()).includes('sooner'), 'one day and ten minutes after it started, not three days')
    store.clock.now = new Date(past(10).getTime() + 2 * day)
    await look()
    assert.equal((await store.read('action', 'sooner'))?.phase, 'timed_out')
    assert.equal(
      (await store.read('action', 'later'))?.phase,
      'offered',
      'its cancel has three days of its own',
    )
    await look()
    assert.deepEqual(await due(), [])
  })

  test('an action comes back as it was put in, after every step', async () => {
    const order = {
      ...orderOf('as-it-was', 'mirror'),
      comment: awkward,
      externalId: awkward,
      requestor: awkward,
    }
    const made = await store.write('makeAction', { order, commands: [] })
    assert.deepEqual(await store.read('action', order.id), made)
    for (const kind of ['offered', 'started', 'cancel_requested', 'stopped'] as const) {
      store.clock.now = new Date(store.clock.now.getTime() + 1)
      const moved = await store.write('move', { id: order.id, event: eventOf(kind) })
      assert.deepEqual(await store.read('action', order.id), moved)
      assert.deepEqual(moved.updatedAt, store.clock.now)
    }
  })

  test('a device comes back as it was put in', async () => {
    const facts = { hostName: awkward, osPlatform: 'Linux' } as never
    const order = { ...deviceOf('x').order, seq: 2 ** 40, recent: ['a', 'b'], forked: true }
    const full = { key: { kty: 'OKP' }, keyThumbprint: 'k', lastSeen: start, lastAddress: '::1', tags: ['t'] }
    const head = { sequence: 0, digest: 'A'.repeat(43) }
    const progress = [{ action: 'a', step: 0, share: null, line: `${awkward}\0` }]
    const addresses = [{ address: '::1', from: 1, until: null }]
    const logons = [{ user: awkward, types: ['Interactive'], firstSeen: 1, lastSeen: 2 ** 42 }]
    const kept = { deviceValue: 'Low' as const, addresses, logons }
    const said = { facts, order, head, reportedHead: head, progress, ...kept }
    const device = { ...deviceOf('mirrored'), ...full, name: awkward, ...said }
    await store.write('makeDevice', device)
    assert.deepEqual(await store.read('device', 'mirrored'), device)
    const bare = { ...deviceOf('bare'), head }
    await store.write('makeDevice', bare)
    assert.deepEqual(await store.read('device', 'bare'), bare)
  })

  test('a device is found by an address that it had, and by its tags to the letter', async () => {
    const addresses = ['10.0.0.1', '2001:db8::1'].map((address) => ({ address, from: 1, until: null }))
    await store.write('makeDevice', { ...deviceOf('seen-1'), addresses, tags: [awkward, 'Tag_1'] })
    await store.write('makeDevice', { ...deviceOf('seen-2'), addresses, tags: ['tag_1', 'TagX1'] })
    const at = async (address: string) => (await store.read('devicesAt', address)).map(({ id }) => id)
    assert.deepEqual(await at('2001:db8::1'), ['seen-2', 'seen-1'])
    assert.deepEqual(await at('10.0.0.'), [])
    const tagged = async (tag: string, isStart = false) =>
      (await store.read('devicesTagged', { tag, isStart })).map(({ id }) => id)
    assert.deepEqual(await tagged(awkward), ['seen-1'])
    assert.deepEqual(await tagged('Tag_1'), ['seen-1'])
    assert.deepEqual(await tagged('Tag', true), ['seen-2', 'seen-1'])
    assert.deepEqual(await tagged('Tag'), [])
  })

  test('of many who label one device at the same time nobody is lost', async () => {
    const labelled = { ...deviceOf('labelled'), facts: null }
    await store.write('makeDevice', labelled)
    const tags = numbers(20).map((n) => `tag ${n}`)
    await Promise.all(
      tags.map((tag) =>
        store.write('keepLabels', { ids: ['labelled'], label: { kind: 'add', tag }, by: 'ann' }),
      ),
    )
    const { tags: kept = [], head } = (await store.read('device', 'labelled')) ?? {}
    assert.deepEqual([...kept].toSorted(), tags.toSorted())
    assert.equal(head?.sequence, 20)
  })

  test('a device is found by its id, else the newest by its name, in any letters', async () => {
    await store.write('makeDevice', { ...deviceOf('named-1'), name: 'Büro-WS' })
    await store.write('makeDevice', { ...deviceOf('named-2'), name: 'büro-ws' })
    await store.write('makeDevice', { ...deviceOf('named-3'), name: 'named-1' })
    const found = async (text: string) => (await store.read('deviceNamed', text))?.id ?? null
    assert.deepEqual(await Promise.all(['BÜRO-WS', 'NAMED-1', 'named-9', ''].map(found)), [
      'named-2',
      'named-1',
      null,
      null,
    ])
  })

  test.each(['\0', 'a\0b', '\ud800', "'", '%', '_', 'x'.repeat(100_000)])(
    'nothing is found under a name that nothing has (%j)',
    async (name) => {
      const found = [
        await store.read('action', name),
        await store.read('device', name),
        await store.read('deviceNamed', name),
        await store.read('libraryFile', name),
        await store.read('application', name),
      ]
      assert.deepEqual(new Set(found), new Set([null]))
      assert.deepEqual(await store.read('actionEvents', name), [])
      await assert.rejects(store.write('removeLibraryFile', { fileName: name, by: 'ann' }), {
        code: 'ResourceNotFound',
      })
    },
  )

  test('the work of devices is how far their chains have grown', async () => {
    await Promise.all(numbers(3).map(() => store.write('append', { chain: 'worked' })))
    const work = await store.read('workOfDevices', ['worked', 'idle'])
    assert.deepEqual([...work], [['worked', 3]])
    assert.deepEqual([...(await store.read('workOfDevices', []))], [])
    const many = numbers(500).map((n) => `device-${n}`)
    assert.deepEqual([...(await store.read('workOfDevices', [...many, 'worked']))], [['worked', 3]])
  })

  test('of devices that said how far their actions are, that is found, and no others', async () => {
    const progress = [{ action: 'a', step: 1, share: 0.25, line: awkward }]
    await store.write('makeDevice', { ...deviceOf('busy'), progress })
    await store.write('makeDevice', deviceOf('calm'))
    const said = await store.read('progressOf', ['busy', 'calm', 'unknown'])
    assert.deepEqual([...said], [['busy', progress]])
    assert.deepEqual([...(await store.read('progressOf', []))], [])
  })

  test('a history is complete and in order, whatever else the chain has heard in between', async () => {
    await make('told', 'chained')
    await make('beside', 'chained')
    for (const kind of ['offered', 'accepted', 'started', 'cancel_requested', 'stopped'] as const) {
      const cause = causeOf(`${kind} ${awkward}`)
      await store.write('append', { chain: 'chained' })
      await store.write('move', { id: 'told', event: eventOf(kind), cause })
      await store.write('move', { id: 'beside', event: eventOf(kind) })
    }
    const history = await store.read('actionEvents', 'told')
    const kept = store.history.ofAction('told')
    assert.deepEqual(
      history.map(({ sequence, digest, previous, kind, data }) => ({
        sequence,
        digest,
        previous,
        kind,
        data,
      })),
      kept.map(({ sequence, digest, previous, kind, data }) => ({ sequence, digest, previous, kind, data })),
    )
    assert.deepEqual(
      history.map(({ kind }) => kind),
      ['requested', 'offered', 'accepted', 'started', 'cancel_requested', 'cancelled'].map(
        (k) => `action.${k}`,
      ),
    )
    assert.equal(history.at(-1)?.statement, `stopped ${awkward}`)
    assert.deepEqual(store.history.faultsOf('chained'), [])
  })

  test('a statement is kept verbatim, and once, however often it is the cause of something', async () => {
    const cause = causeOf(`header.${awkward}.signature`, 7)
    const work = numbers(10).flatMap(() => [
      store.write('append', { chain: 'stated', cause }),
      store.write('keep', { chain: 'stated', cause }),
    ])
    await Promise.all(work)
    const kept = store.history.statements('stated')
    assert.deepEqual(kept, [{ digest: cause.digest, machineId: 'stated', seq: 7, jws: cause.jws }])
    const causes = store.history.events().filter(({ chain }) => chain === 'stated')
    assert.deepEqual(new Set(causes.map(({ statement }) => statement)), new Set([cause.digest]))
  })
})
