/** Offboard as it is asked for (`wire.md` 1.2, 8, 15; `cancel.md` 7). */
import assert from 'node:assert/strict'
import type { Capabilities, MachineAction } from '@countermand/contract'
import { able, enrol, type EnrolmentOptions, type TestDevice } from '../../testing/device.ts'
import { refusalsOfEvery, refused } from '../../testing/machine-refusals.ts'
import { scenarios, type Scenario, type Subject } from '../../testing/scenarios.ts'
import { expectStatus, runScript, type TestServer } from '../../testing/server.ts'

const right = { Comment: 'case 17' }
const willing: Capabilities = { ...able, Offboard: { able: true }, RunAntiVirusScan: { able: true } }
const device =
  (options: EnrolmentOptions = { capabilities: willing }) =>
  (server: TestServer): Promise<TestDevice> =>
    enrol(server, options)
const subjectOf = (tail: string, ...as: readonly string[]): Subject<TestDevice> => ({
  method: 'POST',
  path: ({ machineId }) => `/api/machines/${machineId}/${tail}`,
  given: device(),
  as,
})

const issue = async (
  server: TestServer,
  { machineId }: TestDevice,
  more: object = {},
): Promise<MachineAction> => {
  const token = await server.token('Machine.Offboard')
  const path = `/api/machines/${machineId}/offboard`
  const body = { ...right, ...more }
  return expectStatus(201, await server.ask<MachineAction>({ method: 'POST', path, token, body }))
}
const cancelled = async (server: TestServer, id: string): Promise<void> => {
  const token = await server.token('Machine.Offboard')
  const path = `/api/machineactions/${id}/cancel`
  expectStatus(200, await server.ask({ method: 'POST', path, token, body: right }))
}

const own = {
  able: false as const,
  why: 'switched_off' as const,
  detail: 'this host runs the control server; start with --allow-containment to let it be offboarded',
}
const inProgress = 'Action is already in progress'

const leaving = async (server: TestServer): Promise<TestDevice> => {
  const made = await device()(server)
  await issue(server, made)
  return made
}

const refusals: readonly Scenario<TestDevice>[] = [
  ...refusalsOfEvery('/offboard', right),
  {
    name: 'with the permission for another type is refused',
    as: ['Machine.Isolate', 'Machine.Scan', 'Countermand.Administer'],
    body: right,
    status: 403,
    code: 'Forbidden',
    says: [/\(Machine\.Offboard\)/],
    events: [],
  },
  refused('without a comment', {}, 'MissingRequiredParameter', /^The required parameter Comment is missing/),
  refused('with comment for Comment', { comment: 'x' }, 'InvalidRequestBody', /"comment".*"Comment"/),
  refused('with a comment that is no text', { Comment: 17 }, 'InvalidRequestBody', /Comment/),
  {
    name: 'of an agent that does not know of it is refused',
    given: device({ capabilities: able }),
    body: right,
    status: 400,
    code: 'ClientVersionNotSupported',
    says: [/Offboard needs a newer agent/],
    events: [],
  },
  {
    name: "of the server's own host is refused unless that is allowed there",
    given: device({ capabilities: { ...willing, Offboard: own } }),
    body: right,
    status: 403,
    code: 'DisallowedOperation',
    says: [/--allow-containment/],
    events: [],
  },
  {
    name: 'of a device that is being offboarded already is refused as in progress',
    given: leaving,
    body: right,
    status: 400,
    code: 'ActiveRequestAlreadyExists',
    says: inProgress,
    events: [],
  },
  {
    name: 'of a device that has something else to do is refused: that is cancelled first, or let end',
    given: async (server) => {
      const made = await device()(server)
      await server.issue(made.machineId)
      return made
    },
    body: right,
    status: 400,
    code: 'ActiveRequestAlreadyExists',
    says: inProgress,
    events: [],
  },
]

const accepted: readonly Scenario<TestDevice>[] = [
  {
    name: 'makes an action that waits for its device',
    body: right,
    status: 201,
    reply: { type: 'Offboard', status: 'Pending', scope: null, requestorComment: 'case 17', commands: [] },
    events: ['action.requested'],
    check: async ({ body }, made, server) => {
      const { id, countermand } = body as MachineAction
      assert.equal(countermand.runLimitSeconds, 300)
      assert.deepEqual(await server.read(id), body, 'and is found by its id at once')
      const [offer] = (await made.sync()).offers
      const parameters = { offboard: true }
      assert.deepEqual(offer, { id, type: 'Offboard', parameters, runLimitMs: 300_000 })
    },
  },
  {
    name: 'is taken beside what is being cancelled, and beside what waits for its time',
    given: async (server) => {
      const made = await device()(server)
      const { id } = await server.issue(made.machineId)
      await made.bring(id, 'running')
      await cancelled(server, id)
      const token = await server.token('Machine.Scan')
      const path = `/api/machines/${made.machineId}/runAntiVirusScan`
      const notBefore = new Date(server.clock.now.getTime() + 3_600_000).toISOString()
      const body = { ...right, ScanType: 'Quick', countermand: { notBefore } }
      expectStatus(201, await server.ask({ method: 'POST', path, token, body }))
      return made
    },
    body: right,
    status: 201,
    events: ['action.requested'],
  },
  {
    name: 'that was never offered is cancelled at once',
    body: right,
    status: 201,
    events: ['action.requested'],
    check: async ({ body }, _made, server) => {
      const { id } = body as MachineAction
      await cancelled(server, id)
      const { status, countermand } = await server.read(id)
      assert.deepEqual([status, countermand.proof], ['Cancelled', 'never_offered'])
    },
  },
]
scenarios('POST offboard', subjectOf('offboard', 'Machine.Offboard'), [...refusals, ...accepted])

const others = [
  ['isolate', ['Machine.Isolate'], right],
  ['runAntiVirusScan', ['Machine.Scan'], { ...right, ScanType: 'Quick' }],
  ['runliveresponse', ['Machine.LiveResponse'], { ...right, Commands: [runScript('run.sh')] }],
] as const
for (const [tail, as, body] of others) {
  scenarios(`POST ${tail}`, { ...subjectOf(tail, ...as), given: leaving }, [
    {
      name: 'of a device that is being offboarded is refused as in progress',
      body,
      status: 400,
      code: 'ActiveRequestAlreadyExists',
      says: inProgress,
      events: [],
    },
    {
      name: 'is taken once that is cancelled',
      given: async (server) => {
        const made = await device()(server)
        const { id } = await issue(server, made)
        await cancelled(server, id)
        return made
      },
      body,
      status: 201,
      events: ['action.requested'],
    },
  ])
}
