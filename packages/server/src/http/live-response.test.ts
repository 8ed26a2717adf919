import assert from 'node:assert/strict'
import type { MachineAction } from '@countermand/contract'
import { enrol, type EnrolmentOptions, type TestDevice } from '../testing/device.ts'
import { broughtTo } from '../testing/given.ts'
import { scenarios, type Scenario, type Subject } from '../testing/scenarios.ts'
import { runScript, type TestServer } from '../testing/server.ts'

const device =
  (options: EnrolmentOptions = {}) =>
  (server: TestServer): Promise<TestDevice> =>
    enrol(server, options)
/** A device that has an action already. */
const busy =
  (place: Parameters<typeof broughtTo>[0] | 'queued') =>
  async (server: TestServer): Promise<TestDevice> => {
    if (place !== 'queued') return (await broughtTo(place)(server)).device
    const made = await enrol(server)
    await server.issue(made.machineId)
    return made
  }

const right = { Comment: 'case 17', Commands: [runScript('run.sh', '-fast')] }
const subject: Subject<TestDevice> = {
  method: 'POST',
  path: ({ machineId }) => `/api/machines/${machineId}/runliveresponse`,
  given: device(),
  as: ['Machine.LiveResponse'],
}
const holding = (command: object): object => ({ Comment: 'case 17', Commands: [command] })
const scriptName = { key: 'ScriptName', value: 'run.sh' }

const nothingQueued: Scenario<TestDevice>['check'] = async (_answer, made, server) => {
  const token = await server.token('Machine.Read.All')
  const { body } = await server.ask<{ value: MachineAction[] }>({
    method: 'GET',
    path: '/api/machineactions',
    token,
  })
  assert.deepEqual(
    body.value.filter(({ machineId }) => machineId === made.machineId),
    [],
  )
}

const unknownMachines: readonly Scenario<TestDevice>[] = [
  'elastic-connector-test',
  '00aa11bb22cc33dd44ee55ff66aa77bb88cc99dd',
  '17',
  '%C3%BC',
].map((id) => ({
  name: `for the unknown machine ${id} is 404, before the body is looked at`,
  path: () => `/api/machines/${id}/runliveresponse`,
  body: 'not JSON',
  status: 404,
  code: 'ResourceNotFound',
  says: `Machine ${decodeURIComponent(id)} was not found`,
  events: [],
}))

const wrongBodies: readonly (readonly [string, string | object, string, RegExp])[] = [
  ['that is not JSON', 'Commands', 'InvalidRequestBody', /JSON/],
  ['that is empty', '', 'MissingRequiredParameter', /Commands/],
  ['without Commands', { Comment: 'case 17' }, 'MissingRequiredParameter', /Commands/],
  [
    'with commands for Commands',
    { commands: right.Commands },
    'InvalidRequestBody',
    /"commands".*"Commands"/,
  ],
  ['with comment for Comment', { ...right, comment: 'x' }, 'InvalidRequestBody', /"comment".*"Comment"/],
  ['with no command in it', { Commands: [] }, 'InvalidRequestBody', /Commands/],
  ['with a text for the commands', { Commands: 'run.sh' }, 'InvalidRequestBody', /Commands/],
  ['with a command that is none', holding({ type: 'RunShell', params: [] }), 'InvalidRequestBody', /type/],
  ['with a command without type', holding({ params: [scriptName] }), 'MissingRequiredParameter', /type/],
  [
    'with Type for type',
    holding({ Type: 'RunScript', params: [scriptName] }),
    'InvalidRequestBody',
    /Type".*type"/,
  ],
  [
    'with Key for key',
    holding({ type: 'RunScript', params: [{ Key: 'ScriptName', value: 'run.sh' }] }),
    'InvalidRequestBody',
    /Key".*key"/,
  ],
  [
    'without a script name',
    holding({ type: 'RunScript', params: [] }),
    'MissingRequiredParameter',
    /ScriptName/,
  ],
  [
    'that names a script that is not in the library',
    holding(runScript('other.sh')),
    'InvalidInput',
    /other\.sh/,
  ],
  ['with a quote that is never closed', holding(runScript('run.sh', `-m 'it`)), 'InvalidInput', /Args/],
]

const unable = (why: 'platform' | 'missing_tool' | 'switched_off', detail: string): EnrolmentOptions => ({
  capabilities: { LiveResponse: { able: false, why, detail } },
})
const incapable: readonly (readonly [string, EnrolmentOptions, number, string, readonly RegExp[]])[] = [
  ['is of another platform', unable('platform', 'no scripts here'), 400, 'OsPlatformNotSupported', [/Linux/]],
  [
    'lacks a tool',
    unable('missing_tool', 'apt-get install bubblewrap'),
    400,
    'ClientVersionNotSupported',
    [/apt-get install bubblewrap/],
  ],
  ['has it switched off', unable('switched_off', 'by policy 9'), 403, 'DisallowedOperation', [/by policy 9/]],
]

const refusals: readonly Scenario<TestDevice>[] = [
  {
    name: 'without a token is refused',
    as: null,
    body: right,
    status: 401,
    code: 'Unauthorized',
    events: [],
  },
  {
    name: 'without the permission is refused, in the words that clients match on',
    as: ['Machine.Isolate', 'Machine.Read.All'],
    body: right,
    status: 403,
    code: 'Forbidden',
    says: 'The application does not have any of the required application permissions (Machine.LiveResponse) to access the resource.',
    events: [],
    check: nothingQueued,
  },
  ...unknownMachines,
  {
    name: 'for a computer name is 404: a device chooses its name itself, and two can have the same',
    given: device({ name: 'host-a' }),
    path: () => '/api/machines/host-a/runliveresponse',
    body: right,
    status: 404,
    code: 'ResourceNotFound',
    says: 'Machine host-a was not found',
    events: [],
    check: nothingQueued,
  },
  ...wrongBodies.map(([name, body, code, says]): Scenario<TestDevice> => ({
    name: `with a body ${name} is refused`,
    body,
    status: 400,
    code,
    says: [says],
    events: [],
    check: nothingQueued,
  })),
  {
    name: 'with commands in the wrong order is refused',
    body: { Commands: [{ type: 'GetFile', params: [{ key: 'Path', value: '/x' }] }, runScript('run.sh')] },
    status: 400,
    events: [],
    check: nothingQueued,
  },
  {
    name: 'with a body over 1 MiB is refused',
    body: { Comment: 'x'.repeat(1024 * 1024), Commands: right.Commands },
    status: 413,
    code: 'RequestEntityTooLarge',
    events: [],
    check: nothingQueued,
  },
  ...incapable.map(([name, options, status, code, says]): Scenario<TestDevice> => ({
    name: `on a device that ${name} is refused before anything is queued`,
    given: device(options),
    body: right,
    status,
    code,
    says,
    events: [],
    check: nothingQueued,
  })),
  ...(['queued', 'offered', 'accepted', 'running', 'settling'] as const).map(
    (place): Scenario<TestDevice> => ({
      name: `on a device that has one ${place} is refused as already in progress`,
      given: busy(place),
      body: right,
      status: 400,
      code: 'ActiveRequestAlreadyExists',
      says: 'Action is already in progress',
      events: [],
      check: ({ text }) => assert.ok(text.includes('"message":"Action is already in progress"')),
    }),
  ),
]

/** A cancel that the device has not proven yet. */
const cancelOutstanding = async (server: TestServer): Promise<TestDevice> => {
  const given = await broughtTo('running')(server)
  const path = `/api/machineactions/${given.id}/cancel`
  await server.ask({ method: 'POST', path, token: await server.token('Machine.Isolate'), body: {} })
  return given.device
}

const requested = ['action.requested']
const accepted: readonly Scenario<TestDevice>[] = [
  {
    name: 'makes an action that waits for its device, its commands filled from the start',
    body: right,
    status: 201,
    reply: {
      type: 'LiveResponse',
      status: 'Pending',
      requestor: 'an application',
      requestorComment: 'case 17',
      creationDateTimeUtc: '2026-02-03T04:05:06.12Z',
      lastUpdateDateTimeUtc: '2026-02-03T04:05:06.12Z',
      commands: [
        {
          index: 0,
          startTime: null,
          endTime: null,
          commandStatus: 'Created',
          errors: [],
          command: runScript('run.sh', '-fast'),
        },
      ],
    },
    events: requested,
    check: async ({ body }, { machineId }, server) => {
      const { id, machineId: of } = body as MachineAction
      assert.equal(of, machineId)
      assert.deepEqual(await server.read(id), body, 'and is found by its id at once')
    },
  },
  {
    name: 'takes the id in capital letters',
    path: ({ machineId }) => `/api/machines/${machineId.toUpperCase()}/runliveresponse`,
    body: right,
    status: 201,
    events: requested,
  },
  {
    name: 'needs no comment',
    body: { Commands: right.Commands },
    status: 201,
    reply: { requestorComment: null },
    events: requested,
  },
  {
    name: 'keeps a correlation id of the caller',
    body: { ...right, ExternalId: 'INC-17' },
    status: 201,
    reply: { externalId: 'INC-17' },
    events: requested,
  },
  {
    name: 'reads JSON that is labelled as a form',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: JSON.stringify(right),
    status: 201,
    events: requested,
  },
  {
    name: 'on a device whose open action is being cancelled is accepted',
    given: cancelOutstanding,
    body: right,
    status: 201,
    events: requested,
  },
  {
    name: 'on a device whose action is over is accepted',
    given: busy('succeeded'),
    body: right,
    status: 201,
    events: requested,
  },
]

scenarios('POST /api/machines/:id/runliveresponse', subject, [...refusals, ...accepted])
