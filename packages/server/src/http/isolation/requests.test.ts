/** What is to stand, as it is asked for (`wire.md` 1.2, 8; `cancel.md` 8). */
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
const able = { LiveResponse: { able: true as const } }

/** One of the four, and what its device may lack. */
interface Asked {
  readonly tail: string
  readonly type: string
  readonly permission: string
  readonly notThis: string
  readonly tool: string
}

const isolation = { permission: 'Machine.Isolate', notThis: 'Machine.RestrictExecution', tool: 'nftables' }
const restriction = {
  permission: 'Machine.RestrictExecution',
  notThis: 'Machine.Isolate',
  tool: 'fapolicyd',
}
const asked = {
  isolate: { tail: 'isolate', type: 'Isolate', ...isolation },
  unisolate: { tail: 'unisolate', type: 'Unisolate', ...isolation },
  restrict: { tail: 'restrictCodeExecution', type: 'RestrictCodeExecution', ...restriction },
  unrestrict: { tail: 'unrestrictCodeExecution', type: 'UnrestrictCodeExecution', ...restriction },
} as const satisfies Record<string, Asked>

const subjectOf = ({ tail, permission }: Asked): Subject<TestDevice> => ({
  method: 'POST',
  path: ({ machineId }) => `/api/machines/${machineId}/${tail}`,
  given: device(),
  as: [permission],
})

const refusals = ({ tail, type, permission, notThis, tool }: Asked): readonly Scenario<TestDevice>[] => {
  const saying = (why: 'missing_tool' | 'switched_off' | 'in_use', detail: string) =>
    device({ capabilities: { ...able, [type]: { able: false, why, detail } } })
  return [
    ...refusalsOfEvery(`/${tail}`, comment),
    {
      name: 'with the permission for another type is refused',
      as: [notThis, 'Machine.Scan'],
      body: comment,
      status: 403,
      code: 'Forbidden',
      says: [new RegExp(`\\(${permission.replace('.', '\\.')}\\)`)],
      events: [],
    },
    refused('without a comment', {}, 'MissingRequiredParameter', /Comment/),
    refused('with comment for Comment', { comment: 'x' }, 'InvalidRequestBody', /"comment".*"Comment"/),
    {
      name: `on a device without ${tool} is refused, with the line that installs it`,
      given: saying('missing_tool', `apt-get install --yes ${tool}`),
      body: comment,
      status: 400,
      code: 'ClientVersionNotSupported',
      says: [new RegExp(`Install it with: apt-get install --yes ${tool}`)],
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
      given: saying('switched_off', 'this host runs the control server; start with --allow-containment'),
      body: comment,
      status: 403,
      code: 'DisallowedOperation',
      says: [/--allow-containment/],
      events: [],
    },
    {
      name: 'on a device that does it by itself is refused, and says why',
      given: saying('in_use', 'this host runs a fapolicyd of its own'),
      body: comment,
      status: 403,
      code: 'DisallowedOperation',
      says: [/is not possible on this device: this host runs a fapolicyd of its own/],
      events: [],
    },
  ]
}

const beside = ({ tail, permission }: Asked): Scenario<TestDevice> => ({
  name: 'beside one that is under way is refused in the words of the reference',
  given: async (server) => {
    const made = await device()(server)
    const token = await server.token(permission)
    const path = `/api/machines/${made.machineId}/${tail}`
    assert.equal((await server.ask({ method: 'POST', path, token, body: comment })).status, 201)
    return made
  },
  body: comment,
  status: 400,
  code: 'ActiveRequestAlreadyExists',
  says: 'Action is already in progress',
  events: [],
})

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

const taken = ({ type }: Asked, name: string): Scenario<TestDevice> => ({
  name,
  body: comment,
  status: 201,
  reply: { type, scope: null, status: 'Pending', commands: [] },
  events: requested,
})

scenarios('POST isolate', subjectOf(asked.isolate), [
  ...refusals(asked.isolate),
  ...wrongTypes,
  beside(asked.isolate),
  isolated(undefined, 'Full'),
  isolated('Full', 'Full'),
  isolated('Selective', 'Selective'),
])

scenarios('POST restrictCodeExecution', subjectOf(asked.restrict), [
  ...refusals(asked.restrict),
  beside(asked.restrict),
  taken(asked.restrict, 'is on its way'),
])

for (const inverse of [asked.unisolate, asked.unrestrict]) {
  scenarios(`POST ${inverse.tail}`, subjectOf(inverse), [
    ...refusals(inverse),
    beside(inverse),
    taken(inverse, 'of a device that stands free is taken, as in the reference'),
  ])
}
