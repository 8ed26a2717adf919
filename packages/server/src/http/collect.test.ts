import assert from 'node:assert/strict'
import { packageItemLimitMs, type MachineAction } from '@countermand/contract'
import {
  able as scriptsOnly,
  enrol,
  outcome,
  type EnrolmentOptions,
  type TestDevice,
} from '../testing/device.ts'
import { queued, type Given } from '../testing/given.ts'
import { refusalsOfEvery, refused } from '../testing/machine-refusals.ts'
import { scenarios, type Scenario, type Subject } from '../testing/scenarios.ts'
import { expectStatus, minute, type TestServer } from '../testing/server.ts'

const able = { ...scriptsOnly, CollectInvestigationPackage: { able: true as const } }
const device =
  (options: EnrolmentOptions = { capabilities: able }) =>
  (server: TestServer): Promise<TestDevice> =>
    enrol(server, options)

const right = { Comment: 'case 17' }
const pathOf = ({ machineId }: TestDevice): string => `/api/machines/${machineId}/collectInvestigationPackage`
const subject: Subject<TestDevice> = {
  method: 'POST',
  path: pathOf,
  given: device(),
  as: ['Machine.CollectForensics'],
}

/** A collection on a device of its own. */
const collecting = async (server: TestServer): Promise<Given> => {
  const made = await device()(server)
  const token = await server.token('Machine.CollectForensics')
  const sent = { method: 'POST', path: pathOf(made), token, body: right } as const
  const { id } = expectStatus(201, await server.ask<MachineAction>(sent))
  return { id, device: made }
}
const busy = async (server: TestServer): Promise<TestDevice> => (await collecting(server)).device

const wrong: readonly (readonly [string, string | object, string, RegExp])[] = [
  ['that is empty', '', 'MissingRequiredParameter', /Comment/],
  ['without a comment', { ExternalId: 'INC-17' }, 'MissingRequiredParameter', /Comment/],
  ['with comment for Comment', { comment: 'x' }, 'InvalidRequestBody', /"comment".*"Comment"/],
]
const off = { able: false as const, why: 'switched_off' as const, detail: 'by policy 9' }

const refusals: readonly Scenario<TestDevice>[] = [
  ...refusalsOfEvery('/collectInvestigationPackage', right),
  {
    name: 'with the permission for another type is refused',
    as: ['Machine.LiveResponse', 'Machine.Scan'],
    body: right,
    status: 403,
    code: 'Forbidden',
    says: [/\(Machine\.CollectForensics\)/],
    events: [],
  },
  ...wrong.map(([name, body, code, says]) => refused(`with a body ${name}`, body, code, says)),
  {
    name: 'on a device where it is switched off is refused before anything is queued',
    given: device({ capabilities: { ...able, CollectInvestigationPackage: off } }),
    body: right,
    status: 403,
    code: 'DisallowedOperation',
    says: [/by policy 9/],
    events: [],
  },
  {
    name: 'on a device that collects already is refused as in progress',
    given: busy,
    body: right,
    status: 400,
    code: 'ActiveRequestAlreadyExists',
    says: 'Action is already in progress',
    events: [],
  },
]

const requested = ['action.requested']
const accepted: readonly Scenario<TestDevice>[] = [
  {
    name: 'makes an action that waits for its device',
    body: { ...right, ExternalId: 'INC-17' },
    status: 201,
    reply: {
      type: 'CollectInvestigationPackage',
      status: 'Pending',
      scope: null,
      requestorComment: 'case 17',
      externalId: 'INC-17',
      commands: [],
    },
    events: requested,
    check: async ({ body }, _made, server) => {
      const { id } = body as MachineAction
      assert.deepEqual(await server.read(id), body, 'and is found by its id at once')
    },
  },
  {
    name: 'is no obstacle to a live response, nor that to it: one of each type',
    given: async (server) => {
      const made = await device()(server)
      await server.issue(made.machineId)
      return made
    },
    body: right,
    status: 201,
    events: requested,
  },
  {
    name: 'offers the device how long an item may take, and an hour for all',
    body: right,
    status: 201,
    events: requested,
    check: async ({ body }, made) => {
      const [offer] = (await made.sync()).offers
      const { id } = body as MachineAction
      assert.deepEqual(offer, {
        id,
        type: 'CollectInvestigationPackage',
        parameters: { itemLimitMs: packageItemLimitMs },
        runLimitMs: 60 * minute,
      })
    },
  },
  {
    name: 'of another after the first was cancelled is accepted',
    given: async (server) => {
      const { id, device: made } = await collecting(server)
      await made.sync()
      const path = `/api/machineactions/${id}/cancel`
      const token = await server.token('Machine.CollectForensics')
      expectStatus(200, await server.ask({ method: 'POST', path, token, body: right }))
      return made
    },
    body: right,
    status: 201,
    events: requested,
  },
]

scenarios('POST /api/machines/:id/collectInvestigationPackage', subject, [...refusals, ...accepted])

const linking: Subject<Given> = {
  method: 'GET',
  path: ({ id }) => `/api/machineactions/${id}/getPackageUri`,
  given: collecting,
  as: ['Machine.Read.All'],
}

const runs = async (server: TestServer): Promise<Given> => {
  const given = await collecting(server)
  await given.device.bring(given.id, 'running')
  return given
}
const failed = async (server: TestServer): Promise<Given> => {
  const given = await runs(server)
  given.device.finish(given.id, 'failed')
  await given.device.sync()
  return given
}
/** The device has told of a package that it brought. */
const complete = async (server: TestServer): Promise<Given> => {
  const { id, device: made } = await runs(server)
  const result = { sha256: 'a'.repeat(64), size: 17, fileName: 'package.zip' }
  made.hold(id, 'over')
  const commands = [outcome('Completed', { result })]
  made.tell({ kind: 'finished', action: id, outcome: 'succeeded', detail: null, commands })
  await made.sync()
  return { id, device: made }
}

const noPackage: readonly (readonly [string, (server: TestServer) => Promise<Given>])[] = [
  ['waits', collecting],
  ['runs', runs],
  ['has failed', failed],
]

scenarios('GET /api/machineactions/:id/getPackageUri', linking, [
  { name: 'without a token is refused', as: null, status: 401, code: 'Unauthorized', events: [] },
  {
    name: 'without a permission to read is refused',
    as: ['Machine.CollectForensics', 'Machine.LiveResponse'],
    status: 403,
    code: 'Forbidden',
    says: [/\(Machine\.Read\.All, Machine\.ReadWrite\.All\)/],
    events: [],
  },
  {
    name: 'of an unknown action is 404',
    path: () => '/api/machineactions/00000000-0000-4000-8000-000000000000/getPackageUri',
    status: 404,
    code: 'ResourceNotFound',
    events: [],
  },
  {
    name: 'of a live response is refused: it collects no package',
    given: queued,
    status: 400,
    code: 'InvalidInput',
    says: [/LiveResponse.* no package/],
    events: [],
  },
  ...noPackage.map(([state, given]): Scenario<Given> => ({
    name: `of a collection that ${state} is 404: there is no package`,
    given,
    status: 404,
    code: 'ResourceNotFound',
    says: [/^Machine action \S+ has no package/],
    events: [],
  })),
  {
    name: 'of a complete one is a link that needs no token, without quote marks in it',
    given: complete,
    status: 200,
    events: [],
    check: ({ body }) => {
      const { value, ...envelope } = body as { value: string }
      assert.match(value, /^http:\/\/[^/"]+\/download\/[^"]+$/)
      assert.match(JSON.stringify(envelope), /^\{"@odata.context":"[^"]+\/api\/\$metadata#Edm\.String"\}$/)
    },
  },
  {
    name: 'is asked for in any case',
    given: complete,
    path: ({ id }) => `/api/machineactions/${id}/GetPackageUri`,
    status: 200,
    events: [],
  },
])

scenarios(
  'GET /api/machineactions/:id/GetLiveResponseResultDownloadLink(index=0) of a package',
  { ...linking, path: ({ id }) => `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=0)` },
  [
    {
      name: 'is refused: the package has a link, permissions and a limit of its own',
      given: complete,
      status: 400,
      code: 'InvalidInput',
      events: [],
    },
  ],
)
