/** What is done about a device itself: named, retired, its key revoked, and what becomes of what it had. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { enrol, enrolmentOf, post, signed, type TestDevice } from '../testing/device.ts'
import { broughtTo, cancel, kindsOf, queued, type Given } from '../testing/given.ts'
import { checkError, scenarios, serverOfTheFile, type Scenario, type Subject } from '../testing/scenarios.ts'
import { expectStatus, runScript, type Answer, type TestServer } from '../testing/server.ts'

const as = ['Countermand.Administer']
const path = '/api/countermand/devices'
const of = ({ device }: Given): string => `${path}/${device.machineId}`
const onlyADevice = async (server: TestServer): Promise<Given> => ({ id: '', device: await enrol(server) })
const unknown = 'a'.repeat(40)

const look = async <Body>(server: TestServer, at: string, ...permissions: string[]): Promise<Body> =>
  expectStatus(
    200,
    await server.ask<Body>({ method: 'GET', path: at, token: await server.token(...permissions) }),
  )
const machine = (server: TestServer, { machineId }: TestDevice): Promise<Record<string, unknown>> =>
  look(server, `/api/machines/${machineId}`, 'Machine.Read.All')
const entry = (server: TestServer, { machineId }: TestDevice): Promise<Record<string, unknown>> =>
  look(server, `${path}/${machineId}`, ...as)
const act = async (server: TestServer, { machineId }: TestDevice, what: string, body = {}): Promise<Answer> =>
  server.ask({ method: 'POST', path: `${path}/${machineId}/${what}`, token: await server.token(...as), body })
const rename = async (server: TestServer, { machineId }: TestDevice, displayName: string | null) => {
  const token = await server.token(...as)
  const asked = { method: 'PATCH', path: `${path}/${machineId}`, token, body: { displayName } } as const
  expectStatus(200, await server.ask(asked))
}

const refusals = (subject: string, tail = ''): readonly Scenario<Given>[] => [
  { name: `${subject} without a token is refused`, as: null, status: 401, code: 'Unauthorized', events: [] },
  {
    name: `${subject} without the permission to administer is refused`,
    as: ['Machine.ReadWrite.All', 'Machine.Offboard', 'Library.Manage', 'Countermand.Force'],
    status: 403,
    code: 'Forbidden',
    events: [],
  },
  {
    name: `${subject} of a device that there is not is 404, whatever was sent`,
    path: () => `${path}/${unknown}${tail}`,
    body: 'x',
    status: 404,
    code: 'ResourceNotFound',
    says: `Machine ${unknown} was not found`,
    events: [],
  },
  {
    name: `${subject} of a computer name is 404: a device chooses it itself`,
    path: () => `${path}/ws-017${tail}`,
    status: 404,
    code: 'ResourceNotFound',
    events: [],
  },
]

const reading: Subject<Given> = { method: 'GET', path: of, given: onlyADevice, as }
scenarios('GET /api/countermand/devices/{id}', reading, [
  ...refusals('a look'),
  {
    name: 'says what the device is',
    status: 200,
    reply: {
      state: 'Enrolled',
      displayName: null,
      hostName: 'ws-017',
      computerDnsName: 'ws-017',
      keyRevokedDateTimeUtc: null,
      retiredDateTimeUtc: null,
    },
    events: [],
    check: ({ text }, { device }) => {
      const { id, keyThumbprint } = JSON.parse(text) as Record<string, unknown>
      assert.deepEqual([id, keyThumbprint], [device.machineId, device.key.thumbprint])
    },
  },
])

const listing: Subject<Given> = { ...reading, path: () => path }
scenarios('GET /api/countermand/devices', listing, [
  ...refusals('the list').slice(0, 2),
  {
    name: 'by a field that is none is refused',
    path: () => `${path}?$filter=state eq 'x'`,
    status: 400,
    code: 'ODataError',
    events: [],
  },
  {
    name: 'is filtered as machines are, and its link to the next page leads here',
    path: ({ device }) =>
      `${path}?$filter=id eq '${device.machineId}' or onboardingStatus eq 'Onboarded'&$select=id`,
    headers: { prefer: 'odata.maxpagesize=1' },
    given: async (server) => {
      await enrol(server)
      return onlyADevice(server)
    },
    status: 200,
    events: [],
    check: ({ text }, { device }) => {
      const list = JSON.parse(text) as { value: object[]; '@odata.nextLink': string }
      assert.deepEqual(list.value, [{ id: device.machineId }])
      assert.match(list['@odata.nextLink'], /\/api\/countermand\/devices\?/)
    },
  },
])

const naming: Subject<Given> = { method: 'PATCH', path: of, given: queued, as }
scenarios('PATCH /api/countermand/devices/{id}', naming, [
  ...refusals('a name'),
  ...['', ' ', 'a b', '-a', 'a-', 'a\u0000', 'ä', 'a'.repeat(254), '<b>'].map(
    (displayName): Scenario<Given> => ({
      name: `${JSON.stringify(displayName.slice(0, 9))} is refused: a name like a host's is expected`,
      body: { displayName },
      status: 400,
      code: 'InvalidInput',
      events: [],
    }),
  ),
  {
    name: 'that is no text is refused',
    body: { displayName: 7 },
    status: 400,
    code: 'InvalidRequestBody',
    events: [],
  },
  { name: 'of nothing changes nothing', body: {}, status: 200, reply: { displayName: null }, events: [] },
  {
    name: 'that is null where there is none changes nothing',
    body: { displayName: null },
    status: 200,
    events: [],
  },
  {
    name: 'stands instead of the host’s own wherever machines are shown or found, and stays when the agent speaks or enrols',
    body: { displayName: 'till-3.shop' },
    status: 200,
    reply: { displayName: 'till-3.shop', hostName: 'ws-017', computerDnsName: 'till-3.shop' },
    events: ['device.renamed'],
    check: async (_, { id, device }, server) => {
      await device.sync()
      await enrol(server, { token: await server.enrolmentToken(device.machineId) })
      const shown = await machine(server, device)
      assert.equal(shown.computerDnsName, 'till-3.shop')
      const byName = await look<{ id: string }>(server, '/api/machines/TILL-3.shop', 'Machine.Read.All')
      assert.equal(byName.id, device.machineId)
      // What was asked for under the former name stays as it was asked for.
      assert.equal((await server.read(id)).computerDnsName, 'ws-017')
      assert.equal((await server.issue(device.machineId)).computerDnsName, 'till-3.shop')
      await rename(server, device, null)
      assert.equal((await machine(server, device)).computerDnsName, 'ws-017')
      assert.deepEqual(server.history.faultsOf(device.machineId), [])
    },
  },
])

interface Ending {
  readonly tail: string
  readonly kind: string
  readonly reason: string
  readonly state: string
  readonly says: RegExp
}
const endings: readonly Ending[] = [
  {
    tail: '/retire',
    kind: 'device.retired',
    reason: 'device_removed',
    state: 'Retired',
    says: /was retired here/,
  },
  {
    tail: '/revokekey',
    kind: 'device.key_revoked',
    reason: 'key_revoked',
    state: 'KeyRevoked',
    says: /key of this device was revoked here/,
  },
]

const outcomeOf = async (server: TestServer, id: string): Promise<readonly unknown[]> => {
  const { status, countermand } = await server.read(id)
  return [status, countermand.proof, countermand.reason, countermand.effect.state, countermand.deadlineUtc]
}

/** A device with an action that ran, retired or without its key since. */
async function silenced(what: string): Promise<{ server: TestServer; device: TestDevice; id: string }> {
  const server = await serverOfTheFile()
  const { id, device } = await broughtTo('running')(server)
  expectStatus(200, await act(server, device, what))
  return { server, device, id }
}

function isRefused(answer: Answer, says: RegExp): void {
  assert.equal(answer.status, 401, answer.text)
  checkError(answer, 'Unauthorized', [says])
}

for (const { tail, kind, reason, state, says } of endings) {
  const what = tail.slice(1)
  const ending = (phase: string) => [kind, `action.${phase}`]
  const subject: Subject<Given> = { method: 'POST', path: (given) => of(given) + tail, given: queued, as }
  scenarios(`POST /api/countermand/devices/{id}${tail}`, subject, [
    ...refusals(what, tail),
    {
      name: 'with comment for Comment is refused',
      body: { comment: 'x' },
      status: 400,
      code: 'InvalidRequestBody',
      events: [],
    },
    {
      name: 'cancels what was never offered, for that very reason',
      body: { Comment: 'stolen' },
      status: 200,
      reply: { state },
      events: ending('cancelled'),
      check: async (_, { id, device }, server) => {
        assert.deepEqual(await outcomeOf(server, id), ['Cancelled', 'never_offered', reason, 'none', null])
        const [told] = server.history.events().slice(-2)
        assert.deepEqual(
          [told?.chain, told?.data.comment, told?.actor],
          [device.machineId, 'stolen', 'an application'],
        )
      },
    },
    ...(['offered', 'accepted', 'running', 'settling'] as const).map((place): Scenario<Given> => ({
      name: `ends what was ${place} as TimeOut, effect unknown: nobody will hear of it`,
      given: broughtTo(place),
      status: 200,
      events: ending('timed_out'),
      check: async (_, { id }, server) =>
        assert.deepEqual(await outcomeOf(server, id), ['TimeOut', null, reason, 'unknown', null]),
    })),
    {
      name: 'ends a cancel that was outstanding as unconfirmed, never as Cancelled',
      given: async (server) => {
        const given = await broughtTo('running')(server)
        await cancel(server, given.id)
        return given
      },
      status: 200,
      events: [kind, 'action.timed_out', 'action.cancel_unconfirmed'],
      check: async (_, { id }, server) => {
        const { status, cancellationDateTimeUtc, countermand } = await server.read(id)
        assert.deepEqual(
          [status, cancellationDateTimeUtc, countermand.cancel?.state],
          ['TimeOut', null, 'unconfirmed'],
        )
      },
    },
    {
      name: 'leaves what had ended as it was',
      given: broughtTo('succeeded'),
      status: 200,
      events: [kind],
      check: async (_, { id }, server) => assert.equal((await server.read(id)).status, 'Succeeded'),
    },
    {
      name: 'once more changes nothing',
      given: async (server) => {
        const given = await onlyADevice(server)
        expectStatus(200, await act(server, given.device, what))
        return given
      },
      status: 200,
      reply: { state },
      events: [],
    },
  ])

  describe(`a device after ${what}`, () => {
    test('is not heard: a new statement, a repeated one and its ticket are refused, and nothing changes', async () => {
      const { server, device, id } = await silenced(what)
      const before = [await server.read(id), server.history.last(), kindsOf(server, id)]
      device.finish(id)
      isRefused(await device.send(await device.say()), says)
      const recorded = device.said.at(-2)
      assert.ok(recorded)
      isRefused(await device.send(recorded), says)
      isRefused(await device.ask(id, { result: 0 }), says)
      isRefused(await server.ask({ method: 'GET', path: '/device/wake', token: device.ticket }), says)
      assert.deepEqual([await server.read(id), server.history.last(), kindsOf(server, id)], before)
      assert.deepEqual(
        server.history
          .statements(device.machineId)
          .map(({ seq }) => seq)
          .includes(device.said.length),
        false,
      )
    })

    test('is shown as one that can be onboarded, in lists too', async () => {
      const { server, device } = await silenced(what)
      assert.equal((await machine(server, device)).onboardingStatus, 'CanBeOnboarded')
      const filter = `id eq '${device.machineId}' and onboardingStatus eq 'CanBeOnboarded'`
      const list = await look<{ value: unknown[] }>(
        server,
        `/api/machines?$filter=${filter}`,
        'Machine.Read.All',
      )
      assert.equal(list.value.length, 1)
    })

    test('cannot come back by its former key, nor by a token that was made before', async () => {
      const server = await serverOfTheFile()
      const device = await enrol(server)
      const older = await server.enrolmentToken(device.machineId)
      const own = await enrolmentOf(server)
      expectStatus(200, await act(server, device, what))
      const word = { machineId: device.machineId, key: own.key.thumbprint }
      const header = { typ: 'countermand-former+jws', kid: device.machineId }
      const former = await signed(device.key, word, header)
      const before = server.history.last()
      const { jws } = await enrolmentOf(server, {
        key: own.key,
        former,
        token: `cme1.${Buffer.from(JSON.stringify(own.token)).toString('base64url')}`,
      })
      isRefused(await post(server, '/device/enrol', jws), says)
      const late = await post(server, '/device/enrol', (await enrolmentOf(server, { token: older })).jws)
      checkError(late, 'Unauthorized', [/the token has been revoked/])
      assert.equal(server.history.last(), before)
    })

    test('comes back with a token that is made for it, also when its agent shows the former key', async () => {
      const { server, device, id } = await silenced(what)
      const ended = await server.read(id)
      const { key, token } = await enrolmentOf(server, {
        token: await server.enrolmentToken(device.machineId),
      })
      const header = { typ: 'countermand-former+jws', kid: device.machineId }
      const former = await signed(device.key, { machineId: device.machineId, key: key.thumbprint }, header)
      const text = `cme1.${Buffer.from(JSON.stringify(token)).toString('base64url')}`
      const again = await enrol(server, { key, former, token: text })
      assert.equal(again.machineId, device.machineId)
      assert.equal((await entry(server, device)).state, 'Enrolled')
      assert.equal((await machine(server, device)).onboardingStatus, 'Onboarded')
      assert.equal((await again.sync()).seq, 1)
      assert.deepEqual(await server.read(id), ended)
      const { id: next } = await server.issue(device.machineId)
      await again.bring(next, 'succeeded')
      assert.equal((await server.read(next)).status, 'Succeeded')
    })
  })
}

describe('a retired device', () => {
  test('is asked nothing more: DisallowedOperation, and no event', async () => {
    const server = await serverOfTheFile()
    const device = await enrol(server)
    expectStatus(200, await act(server, device, 'retire'))
    const before = server.history.last()
    const answer = await server.ask({
      method: 'POST',
      path: `/api/machines/${device.machineId}/runliveresponse`,
      token: await server.token('Machine.LiveResponse'),
      body: { Comment: 'x', Commands: [runScript('run.sh')] },
    })
    assert.equal(answer.status, 403, answer.text)
    checkError(
      answer,
      'DisallowedOperation',
      `LiveResponse is not possible: machine ${device.machineId} was retired.`,
    )
    assert.equal(server.history.last(), before)
  })

  test('that has never enrolled leaves nothing open', async () => {
    const server = await serverOfTheFile()
    const { announceDevice } = await import('../app/enrol-device.ts')
    const machineId = await announceDevice(server.app, 'not-yet')
    const { id } = await server.issue(machineId)
    const token = await server.token(...as)
    const ask = (what: string) =>
      server.ask({ method: 'POST', path: `${path}/${machineId}/${what}`, token, body: {} })
    checkError(await ask('revokekey'), 'BadRequest', [/has no key/])
    assert.equal((await ask('retire')).status, 200)
    assert.equal((await server.read(id)).status, 'Cancelled')
  })
})

test('what is asked of a device whose key was revoked waits for its new one', async () => {
  const server = await serverOfTheFile()
  const device = await enrol(server)
  expectStatus(200, await act(server, device, 'revokekey'))
  const { id } = await server.issue(device.machineId)
  const again = await enrol(server, { token: await server.enrolmentToken(device.machineId) })
  await again.bring(id, 'succeeded')
  assert.equal((await server.read(id)).status, 'Succeeded')
})
