/** Tags and the value of a device (`wire.md` 1.5): all or nothing, each change in the device's own chain. */
import assert from 'node:assert/strict'
import { expect, test } from 'vitest'
import type { Machine } from '@countermand/contract'
import { enrol, type TestDevice } from '../testing/device.ts'
import { refusalsOfEvery, refused } from '../testing/machine-refusals.ts'
import { scenarios, serverOfTheFile, type Scenario, type Subject } from '../testing/scenarios.ts'
import { expectStatus, type Asked, type TestServer } from '../testing/server.ts'

const as = ['Machine.ReadWrite.All']
const device = (server: TestServer): Promise<TestDevice> => enrol(server)

async function patch(server: TestServer, { machineId }: TestDevice, body: object): Promise<Machine> {
  const asked = {
    method: 'PATCH',
    path: `/api/machines/${machineId}`,
    token: await server.token(...as),
    body,
  } as const
  return expectStatus(200, await server.ask<Machine>(asked))
}
const tagged =
  (...machineTags: readonly string[]) =>
  async (server: TestServer): Promise<TestDevice> => {
    const made = await device(server)
    await patch(server, made, { machineTags })
    return made
  }

const always = (tail: string, body: object): readonly Scenario<TestDevice>[] => [
  ...refusalsOfEvery(tail, body),
  {
    name: 'with the permission to read is refused, in the words that clients match on',
    as: ['Machine.Read.All'],
    body,
    status: 403,
    code: 'Forbidden',
    says:
      'The application does not have any of the required application permissions ' +
      '(Machine.ReadWrite.All) to access the resource.',
    events: [],
  },
]
/** The answer shows it, and so does whoever asks later. */
const shows =
  (machineTags: readonly string[], deviceValue = 'Normal'): NonNullable<Scenario<TestDevice>['check']> =>
  async ({ body }, { machineId }, server) => {
    const token = await server.token('Machine.Read.All')
    const later = await server.ask<Machine>({ method: 'GET', path: `/api/machines/${machineId}`, token })
    for (const shown of [body as Machine, later.body]) {
      assert.deepEqual(
        [shown.machineTags, shown.deviceValue, shown.id],
        [machineTags, deviceValue, machineId],
      )
    }
    assert.deepEqual(Object.keys(body as Machine), Object.keys(later.body))
  }
const lastEvent = (server: TestServer): Record<string, unknown> =>
  JSON.parse(String(server.rows.all('select data from events order by n desc limit 1')[0]?.data)) as Record<
    string,
    unknown
  >

const subject = (method: Asked['method'], tail: string): Subject<TestDevice> => ({
  method,
  path: ({ machineId }) => `/api/machines/${machineId}${tail}`,
  given: device,
  as,
})

const long = 'x'.repeat(201)
scenarios('PATCH /api/machines/:id', subject('PATCH', ''), [
  ...always('', { machineTags: ['a'] }),
  refused(
    'with MachineTags for machineTags',
    { MachineTags: ['a'] },
    'InvalidRequestBody',
    /"MachineTags".*"machineTags"/,
  ),
  refused('with tags that are no list', { machineTags: 'a' }, 'InvalidRequestBody', /machineTags/),
  refused('with a value that is none', { deviceValue: 'high' }, 'InvalidRequestBody', /deviceValue/),
  refused('with an empty tag', { machineTags: ['a', ''] }, 'InvalidInput', /1 to 200 characters/),
  refused('with a tag that is too long', { machineTags: [long] }, 'InvalidInput', /1 to 200 characters/),
  refused(
    'with too many tags',
    { machineTags: Array.from({ length: 201 }, (_, n) => `${n}`) },
    'InvalidInput',
    /200 tags/,
  ),
  {
    name: 'puts tags and value',
    body: { machineTags: ['a', 'b', 'a'], deviceValue: 'High' },
    status: 200,
    events: ['device.tagged', 'device.valued'],
    check: shows(['a', 'b'], 'High'),
  },
  {
    name: 'replaces the tags that are left out of the list',
    given: tagged('old', 'stays'),
    body: { machineTags: ['stays', 'new'] },
    status: 200,
    events: ['device.tagged'],
    check: async (answer, given, server) => {
      await shows(['stays', 'new'])(answer, given, server)
      assert.deepEqual(lastEvent(server), { added: ['new'], removed: ['old'] })
    },
  },
  {
    name: 'with an empty list takes all tags away',
    given: tagged('a'),
    body: { machineTags: [] },
    status: 200,
    events: ['device.tagged'],
    check: shows([]),
  },
  {
    name: 'keeps what it does not name',
    given: tagged('a'),
    body: { deviceValue: 'Low' },
    status: 200,
    events: ['device.valued'],
    check: shows(['a'], 'Low'),
  },
  {
    name: 'with nothing changes nothing',
    given: tagged('a'),
    body: {},
    status: 200,
    events: [],
    check: shows(['a']),
  },
])

scenarios('POST /api/machines/:id/tags', subject('POST', '/tags'), [
  ...always('/tags', { Value: 'a', Action: 'Add' }),
  refused('without a value', { Action: 'Add' }, 'MissingRequiredParameter', /Value/),
  refused('without an action', { Value: 'a' }, 'MissingRequiredParameter', /Action/),
  refused('with an action that is none', { Value: 'a', Action: 'add' }, 'InvalidRequestBody', /Action/),
  refused('with value for Value', { value: 'a', Action: 'Add' }, 'InvalidRequestBody', /"value".*"Value"/),
  refused('with a blank tag', { Value: ' ', Action: 'Add' }, 'InvalidInput', /1 to 200 characters/),
  refused(
    'with a tag that is too long',
    { Value: long, Action: 'Add' },
    'InvalidInput',
    /1 to 200 characters/,
  ),
  {
    name: 'adds a tag, and says who did',
    given: tagged('a'),
    body: { Value: 'Büro "1" \\ %_', Action: 'Add' },
    status: 200,
    events: ['device.tagged'],
    check: async (answer, given, server) => {
      await shows(['a', 'Büro "1" \\ %_'])(answer, given, server)
      const [row] = server.rows.all('select chain, actor, alarm from events order by n desc limit 1')
      assert.deepEqual({ ...row }, { chain: given.machineId, actor: 'an application', alarm: 0 })
    },
  },
  {
    name: 'adds no tag twice',
    given: tagged('a'),
    body: { Value: 'a', Action: 'Add' },
    status: 200,
    events: [],
    check: shows(['a']),
  },
  {
    name: 'removes a tag',
    given: tagged('a', 'b'),
    body: { Value: 'a', Action: 'Remove' },
    status: 200,
    events: ['device.tagged'],
    check: shows(['b']),
  },
  {
    name: 'removes nothing where it is not',
    given: tagged('a'),
    body: { Value: 'A', Action: 'Remove' },
    status: 200,
    events: [],
    check: shows(['a']),
  },
])

scenarios('POST /api/machines/:id/setDeviceValue', subject('POST', '/setDeviceValue'), [
  ...always('/setDeviceValue', { DeviceValue: 'High' }),
  refused('without a value', {}, 'MissingRequiredParameter', /DeviceValue/),
  refused('with a value that is none', { DeviceValue: 'Highest' }, 'InvalidRequestBody', /DeviceValue/),
  refused(
    'with deviceValue for DeviceValue',
    { deviceValue: 'Low' },
    'InvalidRequestBody',
    /"deviceValue".*"DeviceValue"/,
  ),
  ...['Low', 'High'].map((DeviceValue): Scenario<TestDevice> => ({
    name: `sets ${DeviceValue}`,
    given: tagged('a'),
    body: { DeviceValue },
    status: 200,
    events: ['device.valued'],
    check: shows(['a'], DeviceValue),
  })),
  {
    name: 'sets what is set already, and changes nothing',
    body: { DeviceValue: 'Normal' },
    status: 200,
    events: [],
    check: shows([]),
  },
])

const bulk = '/api/machines/AddOrRemoveTagForMultipleMachines'
type Pair = readonly [TestDevice, TestDevice]
const pair: Subject<Pair> = {
  method: 'POST',
  path: () => bulk,
  given: async (server) => [await device(server), await device(server)],
  as,
}
const both = ([a, b]: Pair): string[] => [a.machineId, b.machineId]
const batch = (size: number): string[] =>
  Array.from({ length: size }, (_, n) => n.toString(16).padStart(40, '0'))
const wrong = (name: string, body: object, code: string, says: RegExp): Scenario<Pair> => ({
  name: `${name} is refused`,
  body,
  status: code === 'ResourceNotFound' ? 404 : 400,
  code,
  says: [says],
  events: [],
})

scenarios(`POST ${bulk}`, pair, [
  { name: 'without a token is refused', as: null, body: {}, status: 401, code: 'Unauthorized', events: [] },
  {
    name: 'with the permission to read is refused',
    as: ['Machine.Read.All'],
    body: {},
    status: 403,
    code: 'Forbidden',
    events: [],
  },
  wrong('without machines', { Value: 'a', Action: 'Add' }, 'MissingRequiredParameter', /MachineIds/),
  wrong(
    'with an empty list',
    { Value: 'a', Action: 'Add', MachineIds: [] },
    'InvalidRequestBody',
    /MachineIds/,
  ),
  wrong(
    'with 501 machines',
    { Value: 'a', Action: 'Add', MachineIds: batch(501) },
    'MaximumBatchSizeExceeded',
    /received 501 .*allowed 500/,
  ),
  wrong(
    'with 500 that nobody knows',
    { Value: 'a', Action: 'Add', MachineIds: batch(500) },
    'ResourceNotFound',
    /^Machine 0{40} was not found$/,
  ),
  {
    name: 'with one that nobody knows is refused, and labels none',
    body: (given) => ({ Value: 'a', Action: 'Add', MachineIds: [...both(given), 'elastic-connector-test'] }),
    status: 404,
    code: 'ResourceNotFound',
    says: 'Machine elastic-connector-test was not found',
    events: [],
  },
  {
    name: 'tags all of them, each once, and answers them',
    body: (given) => ({
      Value: 'a',
      Action: 'Add',
      MachineIds: [...both(given), ...both(given).map((id) => id.toUpperCase())],
    }),
    status: 200,
    events: ['device.tagged', 'device.tagged'],
    check: ({ body }, given) => {
      const { value, ...envelope } = body as { value: Machine[] }
      assert.deepEqual(Object.keys(envelope), ['@odata.context'])
      assert.deepEqual(
        value.map(({ id, machineTags }) => [id, machineTags]),
        both(given).map((id) => [id, ['a']]),
      )
    },
  },
])

test('what a device says of itself leaves its labels alone, and the other way round', async () => {
  const server = await serverOfTheFile()
  const made = await tagged('a')(server)
  await made.sync()
  const { lastSeen } = await patch(server, made, { deviceValue: 'High' })
  expect(lastSeen).not.toBeNull()
  await made.sync()
  const after = await patch(server, made, {})
  expect(after).toMatchObject({ machineTags: ['a'], deviceValue: 'High', osPlatform: 'Linux' })
})

test('a device that enrols again keeps its labels', async () => {
  const server = await serverOfTheFile()
  const made = await tagged('a')(server)
  await enrol(server, { token: await server.enrolmentToken(made.machineId) })
  expect(await patch(server, made, {})).toMatchObject({ machineTags: ['a'], id: made.machineId })
})
