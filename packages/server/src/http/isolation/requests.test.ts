/** Isolate and Unisolate as they are asked for (`wire.md` 1.2, 8; `cancel.md` 8). */
import assert from 'node:assert/strict'
import { enrol, type EnrolmentOptions, type TestDevice } from '../../testing/device.ts'
import { refusalsOfEvery, refused } from '../../testing/machine-refusals.ts'
import { scenarios, type Scenario, type Subject } from '../../testing/scenarios.ts'
import type { TestServer } from '../../testing/server.ts'

const device =
  (options: EnrolmentOptions = {}) =>
  (server: TestServer): Promise<TestDevice> =>
    enrol(server, options)

const comment = { Comment: 'case 17' }
const requested = ['action.requested']
const subjectOf = (tail: string): Subject<TestDevice> => ({
  method: 'POST',
  path: ({ machineId }) => `/api/machines/${machineId}/${tail}`,
  given: device(),
  as: ['Machine.Isolate'],
})

const able = { LiveResponse: { able: true as const } }
const lacking = {
  able: false as const,
  why: 'missing_tool' as const,
  detail: 'apt-get install --yes nftables',
}
const own = {
  able: false as const,
  why: 'switched_off' as const,
  detail: 'this host runs the control server; start with --allow-containment to let it be isolated',
}

const unable = (type: string): readonly Scenario<TestDevice>[] => [
  {
    name: 'with the permission for another type is refused',
    as: ['Machine.RestrictExecution', 'Machine.Scan'],
    body: comment,
    status: 403,
    code: 'Forbidden',
    says: [/\(Machine\.Isolate\)/],
    events: [],
  },
  refused('without a comment', {}, 'MissingRequiredParameter', /Comment/),
  {
    name: 'on a device without nftables is refused, with the line that installs it',
    given: device({ capabilities: { ...able, [type]: lacking } }),
    body: comment,
    status: 400,
    code: 'ClientVersionNotSupported',
    says: [/apt-get install --yes nftables/],
    events: [],
  },
  {
    name: 'of an agent that does not know of it is refused',
    given: device({ capabilities: able }),
    body: comment,
    status: 400,
    code: 'ClientVersionNotSupported',
    says: [/needs a newer agent/],
    events: [],
  },
  {
    name: "on the server's own host is refused unless that is allowed there",
    given: device({ capabilities: { ...able, [type]: own } }),
    body: comment,
    status: 403,
    code: 'DisallowedOperation',
    says: [/--allow-containment/],
    events: [],
  },
]

const wrongTypes: readonly Scenario<TestDevice>[] = [
  refused(
    'with a type that is none',
    { ...comment, IsolationType: 'full' },
    'InvalidRequestBody',
    /IsolationType/,
  ),
  refused(
    'with a type that is no text',
    { ...comment, IsolationType: 1 },
    'InvalidRequestBody',
    /IsolationType/,
  ),
  refused(
    'with isolationType for IsolationType',
    { ...comment, isolationType: 'Full' },
    'InvalidRequestBody',
    /"isolationType".*"IsolationType"/,
  ),
  refused(
    'of a device without an agent',
    { ...comment, IsolationType: 'UnManagedDevice' },
    'OsPlatformNotSupported',
    /its own agent/,
  ),
]

const isolated = (IsolationType: string | undefined, scope: string): Scenario<TestDevice> => ({
  name: `with the type ${IsolationType ?? 'left out'} is on its way`,
  body: { ...comment, ...(IsolationType !== undefined && { IsolationType }) },
  status: 201,
  reply: { type: 'Isolate', scope, status: 'Pending', commands: [] },
  events: requested,
})

scenarios('POST isolate', subjectOf('isolate'), [
  ...refusalsOfEvery('/isolate', comment),
  ...unable('Isolate'),
  ...wrongTypes,
  {
    name: 'beside one that is under way is refused in the words of the reference',
    given: async (server) => {
      const made = await device()(server)
      const token = await server.token('Machine.Isolate')
      const path = `/api/machines/${made.machineId}/isolate`
      assert.equal((await server.ask({ method: 'POST', path, token, body: comment })).status, 201)
      return made
    },
    body: comment,
    status: 400,
    code: 'ActiveRequestAlreadyExists',
    says: 'Action is already in progress',
    events: [],
  },
  isolated(undefined, 'Full'),
  isolated('Full', 'Full'),
  isolated('Selective', 'Selective'),
])

scenarios('POST unisolate', subjectOf('unisolate'), [
  ...refusalsOfEvery('/unisolate', comment),
  ...unable('Unisolate'),
  {
    name: 'of a device that nobody isolated is taken, as in the reference',
    body: comment,
    status: 201,
    reply: { type: 'Unisolate', scope: null, status: 'Pending', commands: [] },
    events: requested,
  },
])
