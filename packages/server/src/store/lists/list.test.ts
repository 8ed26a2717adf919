/** The SQL of a list against the plain meaning of its filter and order, over rows and questions that chance makes. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, test } from 'vitest'
import type { Listed, ListQuery, Place } from '../../app/rows.ts'
import type { ActionEvent } from '../../core/action-shape.ts'
import { actionFields, deviceFields } from '../../core/list-fields.ts'
import { checkFilter, checkOrder } from '../../core/odata/check.ts'
import { compareBy, evaluate, type Look } from '../../core/odata/evaluate.ts'
import { parseFilter, parseOrder } from '../../core/odata/parse.ts'
import type { Fields } from '../../core/odata/tree.ts'
import { toMachine, toMachineAction } from '../../http/wire.ts'
import { onEachDatabase } from '../../testing/databases.ts'
import { dice, numbers, oneOf, seed, type Dice } from '../../testing/dice.ts'
import { minute, start } from '../../testing/server.ts'
import { deviceOf, openTestStore, orderOf, type TestStore } from '../../testing/store.ts'

const questions = Number(process.env.COUNTERMAND_ODATA_QUESTIONS ?? 300)

/** What databases and languages disagree about, and what LIKE would take for more than it is. */
// prettier-ignore
const texts = [
  'a', 'A', 'b', 'ab', 'aB', '', ' ', '%', '_', 'a%b', "it's", '\\', '"', 'ä', 'Ä', 'ı', 'K', 'ﬀ',
  '\uffff', '😀', 'a😀', '1', '10', '9', 'null', '$.x', '[0]', 'Normal', 'Z', 'z', '-',
] as const
const text = (roll: Dice): string => oneOf(roll, texts as unknown as [string, ...string[]])
const maybe = <T>(roll: Dice, make: (roll: Dice) => T): T | null => (roll(3) === 0 ? null : make(roll))
const quoted = (value: string): string => `'${value.replaceAll("'", "''")}'`
const pick = <T>(roll: Dice, list: readonly T[]): T => list[roll(list.length)] as T

const known: Readonly<Record<string, readonly string[]>> = {
  status: ['Pending', 'InProgress', 'succeeded', 'CANCELLED', 'Failed', 'x'],
  type: ['LiveResponse', 'runantivirusscan', 'Isolate'],
  scope: ['Quick', 'full', 'x'],
  machineId: ['m-0', 'M-1', 'm-2'],
  healthStatus: ['Active', 'inactive', 'Unknown'],
  onboardingStatus: ['onboarded', 'CanBeOnboarded'],
  deviceValue: ['Normal', 'Low'],
  riskScore: ['None', 'High'],
  exposureLevel: ['none'],
  osPlatform: ['Linux', 'a'],
}

function valueFor(roll: Dice, field: string, type: string): string {
  if (roll(8) === 0) return 'null'
  switch (type) {
    case 'time': {
      const at = new Date(start.getTime() + (roll(7) - 3) * minute + roll(3)).toISOString()
      return oneOf(roll, [
        at,
        at.replace('Z', '5Z'),
        at.slice(0, 10),
        at.replace('Z', '%2B00:00').replace('%2B', '+'),
      ])
    }
    case 'number':
      return pick(roll, ['0', '1', '-1', '0.5', "'0'"])
    default:
      return quoted(known[field] && roll(4) > 0 ? pick(roll, known[field]) : text(roll))
  }
}

function leaf(roll: Dice, field: string, type: string): string {
  const value = (): string => valueFor(roll, field, type)
  const kind = roll(type === 'number' || type === 'time' ? 4 : 6)
  if (kind === 0)
    return `${field} in (${numbers(1 + roll(4))
      .map(value)
      .join(',')})`
  if (kind < 4) return `${field} ${pick(roll, ['eq', 'ne', 'gt', 'ge', 'lt', 'le'])} ${value()}`
  return `${pick(roll, ['startswith', 'endswith', 'contains'])}(${field},${quoted(text(roll))})`
}

function filter(roll: Dice, fields: Fields, depth: number): string {
  const kind = roll(depth > 0 ? 6 : 3)
  if (kind === 5) return `not (${filter(roll, fields, depth - 1)})`
  if (kind > 2) {
    const parts = numbers(2 + roll(2)).map(() => `(${filter(roll, fields, depth - 1)})`)
    return parts.join(kind === 3 ? ' and ' : ' or ')
  }
  const [field, type] = pick(roll, Object.entries(fields))
  if (type !== 'texts') return leaf(roll, field, type)
  if (roll(6) === 0) return `${field}/any()`
  const others = Object.entries(fields).filter((each) => each[1] !== 'texts')
  const inner = Object.fromEntries([pick(roll, others)])
  const more = roll(3) === 0 ? ` or ${filter(roll, inner, 0)}` : ''
  return `${field}/any(t: ${leaf(roll, 't', 'text')}${more})`
}

function orderOfChance(roll: Dice, fields: Fields): string {
  const names = Object.keys(fields).filter((name) => fields[name] !== 'texts')
  return numbers(roll(4))
    .map(() => `${pick(roll, names)}${pick(roll, ['', ' asc', ' desc'])}`)
    .join(',')
}

/** As a client would look: at the answer. */
const within = (held: unknown, key: string): unknown =>
  typeof held === 'object' && held !== null ? new Map<string, unknown>(Object.entries(held)).get(key) : null

const lookAt =
  (entity: object, fields: Fields): Look =>
  (field) => {
    const shown = field.split('/').reduce<unknown>(within, entity)
    return (fields[field] === 'time' && typeof shown === 'string' ? Date.parse(shown) : shown) as never
  }

const events: readonly ActionEvent['kind'][][] = [
  [],
  ['offered'],
  ['offered', 'started'],
  ['offered', 'started', 'finished'],
  ['cancel_requested'],
  ['offered', 'started', 'cancel_requested'],
]

async function makeActions(store: TestStore, roll: Dice): Promise<readonly string[]> {
  const ids = numbers(80).map((n) => `${'abc'[n % 3]}-${n}`)
  for (const id of ids) {
    store.clock.now = new Date(start.getTime() + (roll(5) - 2) * minute + roll(3))
    const order = {
      ...orderOf(id, `m-${roll(3)}`, store.clock.now),
      type: oneOf(roll, ['LiveResponse', 'RunAntiVirusScan', 'CollectInvestigationPackage'] as const),
      requestor: text(roll),
      computerDnsName: text(roll),
      comment: maybe(roll, text),
      externalId: maybe(roll, text),
      scope: maybe(roll, () => oneOf(roll, ['Quick', 'Full'])),
    }
    await store.write('makeAction', { order, commands: [] })
    const said = { commands: [], outcome: 'succeeded', detail: null, reason: 'user' }
    for (const kind of pick(roll, events)) {
      const event = { kind, by: text(roll), comment: maybe(roll, text), ...said } as unknown as ActionEvent
      await store.write('move', { id, event })
    }
  }
  return ids
}

async function makeDevices(store: TestStore, roll: Dice): Promise<void> {
  for (const n of numbers(60)) {
    const ipAddresses = numbers(roll(3)).map(() => ({
      ipAddress: text(roll),
      macAddress: null,
      type: 'Ethernet',
      operationalStatus: 'Up',
    }))
    const facts = {
      hostName: 'x',
      osPlatform: oneOf(roll, ['Linux', text(roll)]),
      version: maybe(roll, text),
      ipAddresses,
    }
    await store.write('makeDevice', {
      ...deviceOf(`d-${n}`),
      name: text(roll),
      key: maybe(roll, () => ({ kty: 'OKP' })),
      facts: maybe(roll, () => facts) as never,
      lastSeen: maybe(roll, () => new Date(start.getTime() - roll(4) * 10 * minute + roll(3))),
      tags: numbers(roll(4)).map(() => text(roll)),
    })
  }
}

const all = { filter: null, order: [], top: 10_000, skip: 0, after: null, counts: true } as const

const none = (join: string) =>
  numbers(500)
    .map((n) => `status ne 'x${n}'`)
    .join(join)

onEachDatabase((database) => {
  let store: TestStore
  beforeAll(async () => {
    store = await openTestStore(database)
    const roll = dice(seed)
    await makeActions(store, roll)
    await makeDevices(store, roll)
    store.clock.now = start
  })
  afterAll(() => store.close())

  const subjects = {
    actions: {
      fields: actionFields,
      shown: (item: never) => toMachineAction(item),
      list: async (query: ListQuery) => store.read('actions', query),
    },
    devices: {
      fields: deviceFields,
      shown: (item: never) => toMachine(item, start),
      list: async (query: ListQuery) => store.read('devices', query),
    },
  }

  test.each(['actions', 'devices'] as const)(
    'what is found of the %s is what the filter means, page by page',
    async (of) => {
      const { fields, shown, list } = subjects[of]
      const roll = dice(seed + 1)
      const rows = (await list(all)).items.map((item) => shown(item as never))
      for (let asked = 0; asked < questions; asked += 1) {
        const written = filter(roll, fields, 3)
        const orderWritten = orderOfChance(roll, fields)
        const condition = checkFilter(parseFilter(written), fields)
        const order = orderWritten === '' ? [] : checkOrder(parseOrder(orderWritten), fields)
        const expected = rows
          .filter((row) => evaluate(condition, lookAt(row, fields)))
          .toSorted((one, other) => compareBy(order, lookAt(one, fields), lookAt(other, fields)))
          .map(({ id }) => id)
        const says = `COUNTERMAND_SEED=${seed}: ${written} order ${orderWritten}`
        const found: string[] = []
        const top = 1 + roll(40)
        for (let after: Place | null = null, first = true; first || after !== null; first = false) {
          const page: Listed<{ readonly id: string }> = await list({
            filter: condition,
            order,
            top,
            skip: 0,
            after,
            counts: true,
          })
          assert.equal(page.count, expected.length, says)
          assert.ok(page.items.length === top || page.next === null, says)
          found.push(...page.items.map(({ id }) => id))
          after = page.next
        }
        assert.deepEqual(found, expected, says)
        const skip = roll(10)
        const skipped = await list({ ...all, filter: condition, order, top, skip })
        assert.deepEqual(
          skipped.items.map(({ id }) => id),
          expected.slice(skip, skip + top),
          says,
        )
      }
    },
  )

  test('pages go on where they were while new rows arrive', async () => {
    const order = checkOrder(parseOrder('type desc'), actionFields)
    for (const keys of [[], order]) {
      const before = (await store.read('actions', { ...all, order: keys })).items.map(({ id }) => id)
      const found: string[] = []
      let after: Place | null = null
      do {
        const page: Listed<{ readonly id: string }> = await store.read('actions', {
          ...all,
          order: keys,
          top: 7,
          after,
        })
        found.push(...page.items.map(({ id }) => id))
        after = page.next
        const id = `new-${keys.length}-${found.length}`
        await store.write('makeAction', { order: orderOf(id, 'm-9'), commands: [] })
      } while (after !== null)
      assert.deepEqual(
        found.filter((id) => before.includes(id)),
        before,
        'each once, in its order',
      )
      assert.equal(new Set(found).size, found.length)
    }
  })

  const find = async (of: 'actions' | 'devices', written: string) => {
    const condition = checkFilter(parseFilter(written), subjects[of].fields)
    return (await subjects[of].list({ ...all, filter: condition })).items.map(({ id }) => id)
  }

  test('a text that the database cannot hold is in nobody’s way', async () => {
    const comment = 'a\0b \ud800 \\u0000'
    await store.write('makeAction', { order: { ...orderOf('odd', 'm-8'), comment }, commands: [] })
    await store.write('makeDevice', { ...deviceOf('odd'), tags: ['a\0', '\udc00', 'blue'] })
    assert.deepEqual(await find('actions', "startswith(requestorComment,'a') and machineId eq 'M-8'"), [
      'odd',
    ])
    assert.deepEqual(await find('devices', "machineTags/any(t: t eq 'blue')"), ['odd'])
  })

  test('as many conditions, values and levels as a filter may have are asked of the database', async () => {
    const ask = async (written: string) =>
      store.read('actions', { ...all, filter: checkFilter(parseFilter(written), actionFields) })
    const every = (await store.read('actions', all)).count
    assert.equal((await ask(none(' and '))).count, every)
    assert.equal(
      (
        await ask(
          `id in (${numbers(1_000)
            .map((n) => `'x${n}'`)
            .join(',')})`,
        )
      ).count,
      0,
    )
    assert.equal((await ask(`${'not ('.repeat(16)}status ne 'x'${')'.repeat(16)}`)).count, every)
  })
})
