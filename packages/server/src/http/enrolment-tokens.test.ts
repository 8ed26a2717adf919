import assert from 'node:assert/strict'
import { enrol, enrolmentOf, post, readToken } from '../testing/device.ts'
import { queued, type Given } from '../testing/given.ts'
import { scenarios, type Scenario, type Subject } from '../testing/scenarios.ts'
import { day, expectStatus, type TestServer } from '../testing/server.ts'

/** What is ours, and not the reference's: how a further device is brought in. */
const subject: Subject<Given> = {
  method: 'POST',
  path: () => '/api/countermand/enrolmenttokens',
  given: queued,
  as: ['Countermand.Administer'],
}
const tokenIn = (body: unknown): string => (body as { enrolmentToken: string }).enrolmentToken
const isMade = ['enrolment.token_made']

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
    events: isMade,
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
    events: isMade,
    check: async ({ body }, given, server) => {
      const device = await enrol(server, { token: tokenIn(body) })
      assert.equal(device.machineId, given.device.machineId)
    },
  },
])

interface Made {
  readonly token: string
  readonly id: string
}
const path = '/api/countermand/enrolmenttokens'
const make = async (server: TestServer): Promise<Made> => {
  const asked = { method: 'POST', path, token: await server.token(...subject.as), body: {} } as const
  const { id, enrolmentToken: token } = expectStatus(
    201,
    await server.ask<{ id: string; enrolmentToken: string }>(asked),
  )
  return { id, token }
}
type Entry = Readonly<Record<string, unknown>>
const listed = async (server: TestServer, id: string): Promise<Entry | undefined> => {
  const asked = { method: 'GET', path, token: await server.token(...subject.as) } as const
  const { value } = expectStatus(200, await server.ask<{ value: Entry[] }>(asked))
  return value.find((entry) => entry.id === id)
}
const notPermitted: readonly Scenario<Made>[] = [
  { name: 'without a token is refused', as: null, status: 401, code: 'Unauthorized', events: [] },
  {
    name: 'without the permission to administer is refused',
    as: ['Machine.ReadWrite.All', 'Library.Manage', 'Countermand.Force'],
    status: 403,
    code: 'Forbidden',
    events: [],
  },
]

scenarios(
  'GET /api/countermand/enrolmenttokens',
  { method: 'GET', path: () => path, given: make, as: subject.as },
  [
    ...notPermitted,
    {
      name: 'with an option is refused',
      path: () => `${path}?$top=1`,
      status: 400,
      code: 'ODataError',
      events: [],
    },
    {
      name: 'says of each what became of it, and never the token',
      status: 200,
      events: [],
      check: async ({ text }, { id, token }, server) => {
        const { secret } = readToken(token)
        assert.ok(![token, secret, server.app.digest(secret)].some((told) => text.includes(told)))
        assert.deepEqual(await listed(server, id), {
          id,
          state: 'Valid',
          createdDateTimeUtc: '2026-02-03T04:05:06.12Z',
          createdBy: 'an application',
          expirationDateTimeUtc: '2026-02-04T04:05:06.12Z',
          machineId: null,
          usedBy: null,
          revokedDateTimeUtc: null,
        })
        const { machineId } = await enrol(server, { token })
        const used = await listed(server, id)
        assert.deepEqual([used?.state, used?.usedBy], ['Used', machineId])
        const other = await make(server)
        const { now } = server.clock
        server.clock.pass(day)
        const { state } = (await listed(server, other.id)) ?? {}
        server.clock.now = now
        assert.equal(state, 'Expired')
      },
    },
  ],
)

scenarios(
  'DELETE /api/countermand/enrolmenttokens/{id}',
  { method: 'DELETE', path: ({ id }: Made) => `${path}/${id}`, given: make, as: subject.as },
  [
    ...notPermitted,
    {
      name: 'of one that there is not is 404',
      path: () => `${path}/00000000-0000-4000-8000-000000000000`,
      status: 404,
      code: 'ResourceNotFound',
      events: [],
    },
    {
      name: 'of the token itself is 404: it is nobody’s id',
      path: ({ token }) => `${path}/${token}`,
      status: 404,
      code: 'ResourceNotFound',
      events: [],
    },
    {
      name: 'of one that a device has used is refused: its key is what can be revoked',
      given: async (server) => {
        const made = await make(server)
        await enrol(server, { token: made.token })
        return made
      },
      status: 400,
      code: 'BadRequest',
      says: [/has enrolled with this token/],
      events: [],
    },
    {
      name: 'lets nobody enrol with it any more, and keeps it in the list',
      path: ({ id }) => `${path}/${id.toUpperCase()}`,
      status: 204,
      events: ['enrolment.token_revoked'],
      check: async (_, { id, token }, server) => {
        const before = server.history.last()
        const answer = await post(server, '/device/enrol', (await enrolmentOf(server, { token })).jws)
        assert.equal(answer.status, 401)
        assert.match(answer.text, /the token has been revoked/)
        assert.equal(server.history.last(), before)
        const { state, revokedDateTimeUtc } = (await listed(server, id)) ?? {}
        assert.deepEqual([state, revokedDateTimeUtc], ['Revoked', '2026-02-03T04:05:06.12Z'])
      },
    },
    {
      name: 'once more changes nothing',
      given: async (server) => {
        const made = await make(server)
        const token = await server.token(...subject.as)
        await server.ask({ method: 'DELETE', path: `${path}/${made.id}`, token })
        return made
      },
      status: 204,
      events: [],
    },
  ],
)
