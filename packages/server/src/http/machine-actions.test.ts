import assert from 'node:assert/strict'
import { beforeAll, describe, test } from 'vitest'
import type { MachineAction } from '@countermand/contract'
import { enrol } from '../testing/device.ts'
import { broughtTo, queued, type Given } from '../testing/given.ts'
import { scenarios, serverOfTheFile, type Scenario, type Subject } from '../testing/scenarios.ts'
import { expectStatus, runScript, type TestServer } from '../testing/server.ts'

const mayNotRead =
  'The application does not have any of the required application permissions (Machine.Read.All, Machine.ReadWrite.All) to access the resource.'

/** The order of the real service (`wire.md` 2), then what is ours. */
const keys = `@odata.context id type title requestor requestorComment status machineId computerDnsName
  creationDateTimeUtc lastUpdateDateTimeUtc cancellationRequestor cancellationComment cancellationDateTimeUtc
  errorHResult scope externalId requestSource relatedFileInfo commands troubleshootInfo countermand`.split(
  /\s+/,
)

const subject: Subject<Given> = {
  method: 'GET',
  path: ({ id }) => `/api/machineactions/${id}`,
  given: queued,
  as: ['Machine.Read.All'],
}

const nothingYet = {
  title: null,
  requestor: 'an application',
  requestorComment: 'case 17',
  cancellationRequestor: null,
  cancellationComment: null,
  cancellationDateTimeUtc: null,
  errorHResult: 0,
  scope: null,
  externalId: null,
  requestSource: 'PublicApi',
  relatedFileInfo: null,
  troubleshootInfo: null,
}
const command = { type: 'RunScript', params: [{ key: 'ScriptName', value: 'run.sh' }] }
const created = {
  index: 0,
  startTime: null,
  endTime: null,
  commandStatus: 'Created',
  errors: [],
  command,
}

scenarios('GET /api/machineactions/:id', subject, [
  { name: 'without a token is refused', as: null, status: 401, code: 'Unauthorized', events: [] },
  {
    name: 'without a permission to read is refused, in the words that clients match on',
    as: ['Machine.LiveResponse', 'Library.Manage'],
    status: 403,
    code: 'Forbidden',
    says: mayNotRead,
    events: [],
  },
  ...['00000000-0000-4000-8000-000000000000', 'x', '%00', '%27'].map((id): Scenario<Given> => ({
    name: `of the unknown id ${id} is 404`,
    path: () => `/api/machineactions/${id}`,
    status: 404,
    code: 'ResourceNotFound',
    events: [],
  })),
  {
    name: 'shows every key in the order of the real service, the empty ones as null',
    status: 200,
    reply: { type: 'LiveResponse', status: 'Pending', ...nothingYet, commands: [created] },
    events: [],
    check: ({ body }, { id, device }) => {
      const action = body as MachineAction
      assert.deepEqual(Object.keys(action), keys)
      assert.deepEqual(
        [action.id, action.machineId, action.computerDnsName],
        [id, device.machineId, 'ws-017'],
      )
      assert.match(action['@odata.context'] ?? '', /\/api\/\$metadata#MachineActions\/\$entity$/)
      assert.deepEqual(Object.keys(action.commands[0] ?? {}), Object.keys(created))
    },
  },
  ...['Machine.Read.All', 'Machine.ReadWrite.All'].map((permission): Scenario<Given> => ({
    name: `is allowed by ${permission} alone`,
    as: [permission],
    status: 200,
    events: [],
  })),
  {
    name: 'finds the id in capital letters',
    path: ({ id }) => `/api/machineactions/${id.toUpperCase()}`,
    status: 200,
    events: [],
    check: ({ body }, { id }) => assert.equal((body as MachineAction).id, id),
  },
  { name: 'does not mind a body', body: '{}', status: 200, events: [] },
  ...(['offered', 'accepted'] as const).map((place): Scenario<Given> => ({
    name: `is Pending while the action is ${place}`,
    given: broughtTo(place),
    status: 200,
    reply: { status: 'Pending' },
    events: [],
  })),
  ...(['running', 'settling'] as const).map((place): Scenario<Given> => ({
    name: `is InProgress while the action is ${place}`,
    given: broughtTo(place),
    status: 200,
    reply: { status: 'InProgress' },
    events: [],
  })),
  {
    name: 'is Succeeded with its command Completed, and when by the device’s clock',
    given: broughtTo('succeeded'),
    status: 200,
    reply: {
      status: 'Succeeded',
      ...nothingYet,
      commands: [
        {
          ...created,
          startTime: '2026-02-03T04:06:10.42Z',
          endTime: '2026-02-03T04:06:21.8Z',
          commandStatus: 'Completed',
        },
      ],
    },
    events: [],
  },
])

/** Three actions, the newest last. */
const three = async (server: TestServer): Promise<readonly string[]> => {
  const ids: string[] = []
  while (ids.length < 3) ids.push((await queued(server)).id)
  return ids
}
const idsIn = (body: unknown): string[] => (body as { value: MachineAction[] }).value.map(({ id }) => id)

const listing: Subject<readonly string[]> = {
  method: 'GET',
  path: () => '/api/machineactions?$top=3',
  given: three,
  as: ['Machine.Read.All'],
}
const newestFirst = (body: unknown, ids: readonly string[]): void =>
  assert.deepEqual(idsIn(body), ids.toReversed())

scenarios('GET /api/machineactions', listing, [
  { name: 'without a token is refused', as: null, status: 401, code: 'Unauthorized', events: [] },
  {
    name: 'without a permission to read is refused',
    as: ['Machine.Isolate'],
    status: 403,
    code: 'Forbidden',
    says: mayNotRead,
    events: [],
  },
  ...['$top=three', '$top=-1', '$top=1.5', '$skip=x', '$top='].map((query): Scenario<readonly string[]> => ({
    name: `with ${query} is refused`,
    path: () => `/api/machineactions?${query}`,
    status: 400,
    code: 'ODataError',
    events: [],
  })),
  {
    name: 'with an option that is not understood is refused: to pass it over would answer another question',
    path: () => `/api/machineactions?$search=x`,
    status: 400,
    code: 'ODataError',
    events: [],
  },
  {
    name: 'shows the newest first, in the list envelope',
    status: 200,
    events: [],
    check: ({ body }, ids) => {
      newestFirst(body, ids)
      const { value, ...envelope } = body as { '@odata.context': string; value: MachineAction[] }
      assert.match(envelope['@odata.context'], /\/api\/\$metadata#MachineActions$/)
      assert.deepEqual(Object.keys(envelope), ['@odata.context'])
      assert.deepEqual(Object.keys(value[0] ?? {}), keys.slice(1))
    },
  },
  ...['%24top=3', '$top=3&$skip=0'].map((query): Scenario<readonly string[]> => ({
    name: `takes ${query}`,
    path: () => `/api/machineactions?${query}`,
    status: 200,
    events: [],
    check: ({ body }, ids) => newestFirst(body, ids),
  })),
  {
    name: 'leaves out as many as are skipped',
    path: () => '/api/machineactions/?$top=1&$skip=2',
    status: 200,
    events: [],
    check: ({ body }, ids) => assert.deepEqual(idsIn(body), ids.slice(0, 1)),
  },
  {
    name: 'of none is an empty list',
    path: () => '/api/machineactions?$top=0',
    status: 200,
    reply: { value: [] },
    events: [],
  },
])

describe('as it is made and as it is read', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await serverOfTheFile()
  })

  test.each([
    ['2026-02-03T04:05:06.123Z', '2026-02-03T04:05:06.123Z'],
    ['2026-02-03T04:05:06.120Z', '2026-02-03T04:05:06.12Z'],
    ['2026-02-03T04:05:06.100Z', '2026-02-03T04:05:06.1Z'],
    ['2026-02-03T04:05:06.001Z', '2026-02-03T04:05:06.001Z'],
    ['2026-02-03T04:05:10.000Z', '2026-02-03T04:05:10Z'],
    ['2026-02-10T00:00:00.000Z', '2026-02-10T00:00:00Z'],
  ])('a timestamp of %s is written as %s', async (at, written) => {
    server.clock.now = new Date(at)
    const { id } = await queued(server)
    const { creationDateTimeUtc, lastUpdateDateTimeUtc } = await server.read(id)
    assert.deepEqual([creationDateTimeUtc, lastUpdateDateTimeUtc], [written, written])
  })

  test.each([
    ['left out', undefined],
    ['empty', ''],
    ['quoted', `-fast 'a b' "c"`],
  ])('a command is echoed with its arguments as they came: %s', async (_, args) => {
    const { machineId } = await enrol(server)
    const sent = runScript('run.sh', args)
    const answer = await server.ask<MachineAction>({
      method: 'POST',
      path: `/api/machines/${machineId}/runliveresponse`,
      token: await server.token('Machine.LiveResponse'),
      body: { Comment: 'case 17', Commands: [sent] },
    })
    const made = expectStatus(201, answer)
    const read = await server.read(made.id)
    assert.deepEqual([made.commands[0]?.command, read.commands[0]?.command], [sent, sent])
  })
})
