import assert from 'node:assert/strict'
import type { MachineAction } from '@countermand/contract'
import { enrol, type EnrolmentOptions, type TestDevice } from '../testing/device.ts'
import { refusalsOfEvery, refused } from '../testing/machine-refusals.ts'
import { scenarios, type Scenario, type Subject } from '../testing/scenarios.ts'
import type { TestServer } from '../testing/server.ts'

const able = {
  LiveResponse: { able: true as const, commands: ['RunScript'] },
  RunAntiVirusScan: { able: true as const },
}
const device =
  (options: EnrolmentOptions = { capabilities: able }) =>
  (server: TestServer): Promise<TestDevice> =>
    enrol(server, options)

const right = { Comment: 'case 17', ScanType: 'Quick' }
const pathOf = ({ machineId }: TestDevice): string => `/api/machines/${machineId}/runAntiVirusScan`
const subject: Subject<TestDevice> = { method: 'POST', path: pathOf, given: device(), as: ['Machine.Scan'] }

const asked = async (server: TestServer, made: TestDevice): Promise<MachineAction> => {
  const token = await server.token('Machine.Scan')
  const { body } = await server.ask<MachineAction>({ method: 'POST', path: pathOf(made), token, body: right })
  return body
}
const busy = async (server: TestServer): Promise<TestDevice> => {
  const made = await device()(server)
  await asked(server, made)
  return made
}

const wrong: readonly (readonly [string, object, string, RegExp])[] = [
  ['without a comment', { ScanType: 'Quick' }, 'MissingRequiredParameter', /Comment/],
  ['without a scan type', { Comment: 'case 17' }, 'MissingRequiredParameter', /ScanType/],
  ['with a scan type that is none', { ...right, ScanType: 'quick' }, 'InvalidRequestBody', /ScanType/],
  [
    'with scantype for ScanType',
    { Comment: 'x', scantype: 'Full' },
    'InvalidRequestBody',
    /"scantype".*"ScanType"/,
  ],
]
const lacking = { able: false as const, why: 'missing_tool' as const, detail: 'apt-get install --yes clamav' }

const refusals: readonly Scenario<TestDevice>[] = [
  ...refusalsOfEvery('/runAntiVirusScan', right),
  {
    name: 'with the permission for another type is refused',
    as: ['Machine.LiveResponse', 'Machine.Isolate'],
    body: right,
    status: 403,
    code: 'Forbidden',
    says: [/\(Machine\.Scan\)/],
    events: [],
  },
  ...wrong.map((row) => refused(...row)),
  {
    name: 'on a device without a scanner is refused, with the line that installs one',
    given: device({ capabilities: { ...able, RunAntiVirusScan: lacking } }),
    body: right,
    status: 400,
    code: 'ClientVersionNotSupported',
    says: [/apt-get install --yes clamav/],
    events: [],
  },
  {
    name: 'on a device that scans already is refused as in progress',
    given: busy,
    body: { ...right, ScanType: 'Full' },
    status: 400,
    code: 'ActiveRequestAlreadyExists',
    says: 'Action is already in progress',
    events: [],
  },
]

const accepted: readonly Scenario<TestDevice>[] = [
  {
    name: 'makes an action that waits for its device',
    body: right,
    status: 201,
    reply: {
      type: 'RunAntiVirusScan',
      status: 'Pending',
      scope: 'Quick',
      requestorComment: 'case 17',
      commands: [],
    },
    events: ['action.requested'],
    check: async ({ body }, _made, server) => {
      const { id } = body as MachineAction
      assert.deepEqual(await server.read(id), body, 'and is found by its id at once')
    },
  },
  {
    name: 'is no obstacle to a live response: one of each type',
    given: async (server) => {
      const made = await device()(server)
      await server.issue(made.machineId)
      return made
    },
    body: { ...right, ScanType: 'Full' },
    status: 201,
    reply: { scope: 'Full' },
    events: ['action.requested'],
  },
  {
    name: 'offers the device the kind of scan, and a quick one two hours',
    body: right,
    status: 201,
    events: ['action.requested'],
    check: async ({ body }, made) => {
      const [offer] = (await made.sync()).offers
      const { id } = body as MachineAction
      assert.deepEqual(offer, {
        id,
        type: 'RunAntiVirusScan',
        parameters: { scanType: 'Quick' },
        runLimitMs: 2 * 60 * 60_000,
      })
    },
  },
  {
    name: 'shows what the device found',
    body: right,
    status: 201,
    events: ['action.requested'],
    check: async ({ body }, made, server) => {
      const { id } = body as MachineAction
      const findings = [{ path: '/tmp/a: b', signature: 'Eicar.UNOFFICIAL' }]
      const at = '2026-02-03T04:05:07.5Z'
      const step = { index: 0, startedAt: at, endedAt: at, errors: [], result: null, findings }
      await made.sync()
      made.hold(id, 'over')
      made.tell({
        kind: 'finished',
        action: id,
        outcome: 'succeeded',
        detail: null,
        commands: [{ ...step, status: 'Completed' }],
      })
      await made.sync()
      const { status, countermand, commands } = await server.read(id)
      assert.deepEqual([status, commands, countermand.findings], ['Succeeded', [], findings])
    },
  },
]

scenarios('POST /api/machines/:id/runAntiVirusScan', subject, [...refusals, ...accepted])
