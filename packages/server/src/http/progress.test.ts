/** How far an action is that runs: shown while it lasts, of no consequence, and nowhere in the history. */
import assert from 'node:assert/strict'
import { afterEach, describe, test, vi } from 'vitest'
import type { MachineAction, Progress, Statement } from '@countermand/contract'
import { enrol, type TestDevice } from '../testing/device.ts'
import { broughtTo, queued, type Given } from '../testing/given.ts'
import { scenarios, serverOfTheFile, type Scenario, type Subject } from '../testing/scenarios.ts'
import { expectStatus, runScript, type TestServer } from '../testing/server.ts'

afterEach(() => vi.restoreAllMocks())

const half = { step: 0, share: 0.5, line: '17 of 34' }
const of = (action: string, more: Partial<Progress> = {}): Progress => ({ action, ...half, ...more })
const shown = { ...half, steps: 1 }

type Make = (server: TestServer) => Promise<Given>
/** An action at some place of its life, whose device then says how far it is. */
const saying =
  (make: Make, progress: (id: string) => Statement['progress']): Make =>
  async (server) => {
    const given = await make(server)
    const said = progress(given.id)
    await given.device.sync(said === undefined ? {} : { progress: said })
    return given
  }
const sayingHalf = (make: Make): Make => saying(make, (id) => [of(id)])
const running = broughtTo('running')

/** On one device: a live response of three commands that runs, and a scan that runs. */
const several = async (
  server: TestServer,
): Promise<{ device: TestDevice; ids: readonly [string, string] }> => {
  const capabilities: Statement['capabilities'] = {
    LiveResponse: { able: true, commands: ['PutFile', 'RunScript', 'GetFile'] },
    RunAntiVirusScan: { able: true },
  }
  const device = await enrol(server, { capabilities })
  const token = await server.token('Machine.LiveResponse', 'Machine.Scan')
  const path = `/api/machines/${device.machineId}`
  const ask = async (tail: string, body: object): Promise<string> => {
    const sent = { method: 'POST', path: `${path}/${tail}`, token, body } as const
    return expectStatus(201, await server.ask<MachineAction>(sent)).id
  }
  const commands = [1, 2, 3].map(() => runScript('run.sh'))
  const first = await ask('runliveresponse', { Commands: commands })
  const second = await ask('runAntiVirusScan', { Comment: 'x', ScanType: 'Quick' })
  await device.sync()
  for (const id of [first, second]) device.start(id)
  await device.sync()
  return { device, ids: [first, second] }
}

const subject: Subject<Given> = {
  method: 'GET',
  path: ({ id }) => `/api/machineactions/${id}`,
  given: sayingHalf(running),
  as: ['Machine.Read.All'],
}

const progressIn = (body: unknown): unknown => (body as MachineAction).countermand.progress
const shows =
  (expected: unknown): NonNullable<Scenario<Given>['check']> =>
  ({ body }) =>
    assert.deepEqual(progressIn(body), expected)

const none: readonly (readonly [string, Make])[] = [
  ['that is queued', sayingHalf(queued)],
  ['that is offered', sayingHalf(broughtTo('offered'))],
  ['whose device has said nothing', running],
  [
    'whose device has said it of another action',
    saying(running, () => [of('0'.repeat(8) + '-0000-4000-8000-000000000000')]),
  ],
  ['whose device names a step that there is not', saying(running, (id) => [of(id, { step: 1 })])],
  ['whose device has nothing to say any more', saying(sayingHalf(running), () => undefined)],
  [
    'of which another device says so',
    async (server) => {
      const given = await running(server)
      await (await enrol(server)).sync({ progress: [of(given.id)] })
      return given
    },
  ],
  [
    'that has ended meanwhile',
    async (server) => {
      const given = await sayingHalf(running)(server)
      given.device.finish(given.id)
      await given.device.sync({ progress: [of(given.id)] })
      return given
    },
  ],
  [
    'of which an older statement said so, that is said again',
    async (server) => {
      const given = await running(server)
      const said = await given.device.say({ progress: [of(given.id)] })
      given.device.obey(await given.device.exchange(said))
      await given.device.sync()
      await given.device.send(said)
      return given
    },
  ],
]

scenarios('GET /api/machineactions/:id', subject, [
  ...none.map(([name, given]): Scenario<Given> => ({
    name: `shows no progress of an action ${name}`,
    given,
    status: 200,
    events: [],
    check: shows(null),
  })),
  { name: 'shows what the device said of one that runs', status: 200, events: [], check: shows(shown) },
  {
    name: 'shows it while it settles, too',
    given: sayingHalf(broughtTo('settling')),
    status: 200,
    events: [],
    check: shows(shown),
  },
  {
    name: 'shows what was said last, as it was said',
    given: saying(sayingHalf(running), (id) => [of(id, { share: null, line: `"№ 1" \0\n` })]),
    status: 200,
    events: [],
    check: shows({ step: 0, steps: 1, share: null, line: `"№ 1" \0\n` }),
  },
])

describe('progress', () => {
  test('counts the commands of a live response, and one step of a scan; in a list as by itself', async () => {
    const server = await serverOfTheFile()
    const { device, ids } = await several(server)
    const [first, second] = ids
    await device.sync({
      progress: [of(first, { step: 2, share: 1 }), of(second, { share: null, line: '/usr/bin' })],
    })
    const expected = [
      { step: 0, steps: 1, share: null, line: '/usr/bin' },
      { step: 2, steps: 3, share: 1, line: half.line },
    ]
    assert.deepEqual([progressIn(await server.read(second)), progressIn(await server.read(first))], expected)
    const { id } = await queued(server)
    const read = vi.spyOn(server.app.store, 'read')
    const { body } = await server.ask<{ value: MachineAction[] }>({
      method: 'GET',
      path: '/api/machineactions?$top=3',
      token: await server.token('Machine.Read.All'),
    })
    assert.deepEqual(
      body.value.map((action) => [action.id, progressIn(action)]),
      [
        [id, null],
        [second, expected[0]],
        [first, expected[1]],
      ],
    )
    assert.equal(read.mock.calls.filter(([name]) => name === 'progressOf').length, 1, 'one look for a list')
  })

  test('of another device’s action is worth nothing in a list either', async () => {
    const server = await serverOfTheFile()
    const { id } = await running(server)
    const other = await running(server)
    await other.device.sync({ progress: [of(id), of(other.id)] })
    const { body } = await server.ask<{ value: MachineAction[] }>({
      method: 'GET',
      path: '/api/machineactions?$top=2',
      token: await server.token('Machine.Read.All'),
    })
    assert.deepEqual(
      body.value.map((action) => [action.id, progressIn(action)]),
      [
        [other.id, shown],
        [id, null],
      ],
    )
  })

  test('is looked for only where an action runs', async () => {
    const server = await serverOfTheFile()
    const { id: waits } = await queued(server)
    const { id: runs } = await running(server)
    await server.read(waits)
    const read = vi.spyOn(server.app.store, 'read')
    const looksFor = async (id: string): Promise<readonly string[]> => {
      read.mockClear()
      await server.read(id)
      // The server's own timers look for theirs meanwhile.
      return read.mock.calls.map(([name]) => name).filter((name) => ['action', 'progressOf'].includes(name))
    }
    assert.deepEqual(await looksFor(waits), ['action'])
    assert.deepEqual(await looksFor(runs), ['action', 'progressOf'])
  })

  test('makes no event, no version and no statement that is kept', async () => {
    const server = await serverOfTheFile()
    const { id, device } = await running(server)
    const kept = (): unknown[] => [
      server.history.last(),
      server.rows.all('select version, state from actions where id = ?', id),
      server.rows.all('select count(*) as n from statements'),
    ]
    const before = kept()
    await device.sync({ progress: [of(id)] })
    await device.sync({ progress: [of(id, { share: 0.6 })] })
    assert.deepEqual(progressIn(await server.read(id)), { ...shown, share: 0.6 })
    assert.deepEqual(kept(), before)
  })
})
