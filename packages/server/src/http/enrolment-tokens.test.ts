import assert from 'node:assert/strict'
import { enrol, readToken } from '../testing/device.ts'
import { queued, type Given } from '../testing/given.ts'
import { scenarios, type Scenario, type Subject } from '../testing/scenarios.ts'

/** What is ours, and not the reference's: how a further device is brought in. */
const subject: Subject<Given> = {
  method: 'POST',
  path: () => '/api/countermand/enrolmenttokens',
  given: queued,
  as: ['Countermand.Administer'],
}
const tokenIn = (body: unknown): string => (body as { enrolmentToken: string }).enrolmentToken
const made = ['enrolment.token_made']

const refusals: readonly Scenario<Given>[] = [
  { name: 'without a token is refused', as: null, status: 401, code: 'Unauthorized', events: [] },
  {
    name: 'without the permission to administer is refused',
    as: ['Machine.ReadWrite.All', 'Machine.LiveResponse', 'Library.Manage', 'Countermand.Force'],
    status: 403,
    code: 'Forbidden',
    says: 'The application does not have any of the required application permissions (Countermand.Administer) to access the resource.',
    events: [],
  },
  {
    name: 'with a body that is not JSON is refused',
    body: 'x',
    status: 400,
    code: 'InvalidRequestBody',
    events: [],
  },
  {
    name: 'with machineId for MachineId is refused: it would make a new device',
    body: { machineId: 'a'.repeat(40) },
    status: 400,
    code: 'InvalidRequestBody',
    says: [/"machineId".*"MachineId"/],
    events: [],
  },
  {
    name: 'for a machine that there is not is 404',
    body: { MachineId: 'a'.repeat(40) },
    status: 404,
    code: 'ResourceNotFound',
    events: [],
  },
  {
    name: 'for a computer name is 404: a device chooses its name itself',
    body: { MachineId: 'ws-017' },
    status: 404,
    code: 'ResourceNotFound',
    events: [],
  },
]

scenarios('POST /api/countermand/enrolmenttokens', subject, [
  ...refusals,
  {
    name: 'makes a token for a new device, good for 24 hours, and keeps no secret',
    status: 201,
    reply: { expirationDateTimeUtc: '2026-02-04T04:05:06.12Z' },
    events: made,
    check: async ({ body }, given, server) => {
      const token = tokenIn(body)
      const { secret, orderKey } = readToken(token)
      assert.equal(orderKey, server.app.signer.orderThumbprint)
      assert.ok(Buffer.from(secret, 'base64url').length >= 32)
      assert.ok(!JSON.stringify(server.history.events()).includes(secret))
      assert.ok(!JSON.stringify(server.rows.all('select * from enrolments')).includes(secret))
      const device = await enrol(server, { token })
      assert.notEqual(device.machineId, given.device.machineId)
    },
  },
  {
    name: 'for an existing device lets it keep its id',
    body: ({ device }) => ({ MachineId: device.machineId.toUpperCase() }),
    status: 201,
    events: made,
    check: async ({ body }, given, server) => {
      const device = await enrol(server, { token: tokenIn(body) })
      assert.equal(device.machineId, given.device.machineId)
    },
  },
])
