/** Who becomes a device, and who does not (`cancel.md` 6, Trust): refusals first. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Enrolled } from '@countermand/contract'
import {
  enrol,
  enrolmentOf,
  factsOf,
  makeKey,
  opened,
  post,
  readToken,
  signed,
  type EnrolmentOptions,
  type TestDevice,
} from '../testing/device.ts'
import { broughtTo, cancel, queued } from '../testing/given.ts'
import { checkDialect, checkError } from '../testing/scenarios.ts'
import { expectStatus, hour, openServer, type Answer, type TestServer } from '../testing/server.ts'
import { announceDevice } from './enrol-device.ts'

let server: TestServer
let other: TestServer
beforeAll(async () => {
  server = await openServer()
  await server.upload('run.sh')
  other = await openServer({ ownKeys: true })
})
afterAll(async () => {
  await server.close()
  await other.close()
})

const send = (jws: string): Promise<Answer> => post(server, '/device/enrol', jws)
const textOf = (token: object): string => `cme1.${Buffer.from(JSON.stringify(token)).toString('base64url')}`
const machines = async (): Promise<unknown> => {
  const token = await server.token('Machine.Read.All')
  return (await server.ask({ method: 'GET', path: '/api/machines', token })).body
}

async function isRefused(jws: string): Promise<void> {
  const before = [await machines(), server.history.last()]
  const answer = await send(jws)
  assert.equal(answer.status, 401, answer.text)
  checkDialect(answer)
  checkError(answer, 'Unauthorized')
  assert.deepEqual([await machines(), server.history.last()], before, 'nothing has changed')
}
const isRefusedWith = async (options: EnrolmentOptions): Promise<void> =>
  isRefused((await enrolmentOf(server, options)).jws)

const former = (device: TestDevice, newKey: string, more: object = {}, by = device.key): Promise<string> =>
  signed(
    by,
    { machineId: device.machineId, key: newKey, ...more },
    { typ: 'countermand-former+jws', kid: device.machineId },
  )

describe('an enrolment is refused', () => {
  test('with a token that was used by another key', async () => {
    const token = await server.enrolmentToken()
    await enrol(server, { token })
    await isRefusedWith({ token })
  })

  test('with a token that is 24 hours old', async () => {
    const token = await server.enrolmentToken()
    server.clock.pass(24 * hour)
    await isRefusedWith({ token })
  })

  test('with a secret that nobody made', async () => {
    const token = readToken(await server.enrolmentToken())
    const secret = randomBytes(32).toString('base64url')
    await isRefusedWith({ token: textOf({ ...token, secret }) })
  })

  test('with a token of another server', async () => {
    await isRefusedWith({ token: await other.enrolmentToken() })
  })

  test('with a token of another server that is addressed to this one', async () => {
    await isRefusedWith({ token: await other.enrolmentToken(), server: server.app.signer.orderThumbprint })
  })

  test('with a token of this server that is addressed to another one', async () => {
    await isRefusedWith({ server: other.app.signer.orderThumbprint })
  })

  test('when it is signed by another key than it brings along', async () => {
    const { token, key } = await enrolmentOf(server)
    const { jws } = await enrolmentOf(server, {
      token: textOf(token),
      key: { ...key, open: (await makeKey()).open },
    })
    await isRefused(jws)
    await enrol(server, { token: textOf(token) })
  })

  test.each([
    ['is of another kind', 'countermand-statement+jws'],
    ['is an answer', 'countermand-enrolled+jws'],
  ])('when it %s', async (_, typ) => {
    const { jws, key } = await enrolmentOf(server)
    const [, payload = ''] = jws.split('.')
    const said = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
    await isRefused(await signed(key, said, { typ, jwk: key.open }))
  })

  test.each(['', 'a.b.c', '{}'])('when it is %j', (text) => isRefused(text))

  test('when it brings no facts', async () => {
    const { key, token } = await enrolmentOf(server)
    const said = { protocol: 1, server: token.orderKey, secret: token.secret, former: null }
    await isRefused(await signed(key, said, { typ: 'countermand-enrolment+jws', jwk: key.open }))
  })

  test('when it speaks a protocol that is not spoken here', async () => {
    const { key, token } = await enrolmentOf(server)
    const { orderKey, secret } = token
    const said = {
      protocol: 2,
      server: orderKey,
      secret,
      former: null,
      facts: factsOf('x'),
      capabilities: {},
    }
    const before = [await machines(), server.history.last()]
    const answer = await send(await signed(key, said, { typ: 'countermand-enrolment+jws', jwk: key.open }))
    assert.equal(answer.status, 400, answer.text)
    checkError(answer, 'ClientVersionNotSupported')
    assert.deepEqual([await machines(), server.history.last()], before)
  })

  test('when the former key that it names is not the device’s', async () => {
    const device = await enrol(server)
    const key = await makeKey()
    await isRefusedWith({ key, former: await former(device, key.thumbprint, {}, await makeKey()) })
  })

  test('when the former key vouches for another key', async () => {
    const device = await enrol(server)
    await isRefusedWith({ former: await former(device, (await makeKey()).thumbprint) })
  })

  test('when a former key vouches for another device’s id', async () => {
    const [device, victim] = [await enrol(server), await enrol(server)]
    const key = await makeKey()
    const word = await former(device, key.thumbprint, { machineId: victim.machineId })
    await isRefusedWith({ key, former: word })
  })
})

describe('an enrolment', () => {
  test('makes a new device with an id of 40 hex digits, even for a name that is there already', async () => {
    const [one, two] = [await enrol(server, { name: 'same' }), await enrol(server, { name: 'same' })]
    assert.match(one.machineId, /^[0-9a-f]{40}$/)
    assert.match(two.machineId, /^[0-9a-f]{40}$/)
    assert.notEqual(one.machineId, two.machineId)
  })

  test('that is sent again gets the same answer and changes nothing, also when its token is over', async () => {
    const { jws, token, key } = await enrolmentOf(server)
    const first = await send(jws)
    expectStatus(200, first)
    const before = [await machines(), server.history.last()]
    for (const wait of [0, hour, 48 * hour]) {
      server.clock.pass(wait)
      const again = await send(jws)
      expectStatus(200, again)
      const [said, same] = await Promise.all(
        [first, again].map(({ text }) => opened<Enrolled>(text, token.orderKey, 'countermand-enrolled+jws')),
      )
      assert.deepEqual(same, said)
      assert.equal(same?.key, key.thumbprint)
    }
    assert.equal(server.history.last(), before[1])
  })

  test('by the same key in other words gets the same answer too', async () => {
    const one = await enrolmentOf(server)
    const token = textOf(one.token)
    const first = await enrol(server, { token, key: one.key })
    const second = await enrol(server, { token, key: one.key, name: 'renamed since' })
    assert.equal(second.machineId, first.machineId)
  })

  test('at the last moment of its token is taken', async () => {
    const token = await server.enrolmentToken()
    server.clock.pass(24 * hour - 1)
    await enrol(server, { token })
  })

  test('is written down once, in the chain of its device', async () => {
    const device = await enrol(server)
    const found = server.history.events().filter(({ chain }) => chain === device.machineId)
    assert.deepEqual(
      found.map(({ kind }) => kind),
      ['device.enrolled'],
    )
    assert.equal(found[0]?.data.key, device.key.thumbprint)
    assert.deepEqual(server.history.faultsOf(device.machineId), [])
  })

  test('of a device that was announced keeps its id, and what waits for it', async () => {
    const machineId = await announceDevice(server.app, 'announced')
    const { id } = await server.issue(machineId)
    const device = await enrol(server, { token: await server.enrolmentToken(machineId), name: 'announced' })
    assert.equal(device.machineId, machineId)
    assert.deepEqual(
      (await device.sync()).offers.map((offer) => offer.id),
      [id],
    )
  })
})

/** The ways for a device to come back as itself. */
const comebacks: Readonly<Record<string, (device: TestDevice) => Promise<EnrolmentOptions>>> = {
  'a token for it': async ({ machineId }) => ({ token: await server.enrolmentToken(machineId) }),
  'the word of its former key': async (device) => {
    const key = await makeKey()
    return { key, former: await former(device, key.thumbprint) }
  },
}

describe.each(Object.entries(comebacks))('a device that enrols again with %s', (_, options) => {
  test('keeps its id', async () => {
    const device = await enrol(server)
    const again = await enrol(server, await options(device))
    assert.equal(again.machineId, device.machineId)
    assert.equal((await again.sync()).seq, 1)
  })

  test('ends what was never offered as Cancelled, never_offered', async () => {
    const { id, device } = await queued(server)
    const again = await enrol(server, await options(device))
    const { status, countermand } = await server.read(id)
    assert.deepEqual(
      [status, countermand.proof, countermand.reason],
      ['Cancelled', 'never_offered', 'device_reenrolled'],
    )
    assert.deepEqual((await again.sync()).offers, [])
  })

  test.each(['offered', 'accepted', 'running', 'settling'] as const)(
    'ends what was %s as TimeOut, effect unknown',
    async (place) => {
      const { id, device } = await broughtTo(place)(server)
      const again = await enrol(server, await options(device))
      const { status, countermand } = await server.read(id)
      assert.deepEqual(
        [status, countermand.proof, countermand.reason, countermand.effect.state],
        ['TimeOut', null, 'device_reenrolled', 'unknown'],
      )
      const { offers, starts, cancels } = await again.sync()
      assert.deepEqual([offers, starts, cancels], [[], [], []])
    },
  )

  test('ends a cancel that was outstanding as unconfirmed: TimeOut, without a date', async () => {
    const { id, device } = await broughtTo('running')(server)
    await cancel(server, id)
    await enrol(server, await options(device))
    const { status, cancellationRequestor, cancellationDateTimeUtc, countermand } = await server.read(id)
    assert.deepEqual(
      [status, cancellationRequestor, cancellationDateTimeUtc, countermand.cancel?.state],
      ['TimeOut', 'ann', null, 'unconfirmed'],
    )
  })

  test('leaves what had ended as it was', async () => {
    const { id, device } = await broughtTo('succeeded')(server)
    const before = await server.read(id)
    await enrol(server, await options(device))
    assert.deepEqual(await server.read(id), before)
  })
})

describe('a token for one device', () => {
  test('touches no other, though the other has actions', async () => {
    const victim = await broughtTo('running')(server)
    const device = await enrol(server)
    await enrol(server, { token: await server.enrolmentToken(device.machineId) })
    assert.equal((await server.read(victim.id)).status, 'InProgress')
    await victim.device.sync()
  })

  test.each([
    ['has already', false],
    ['had before another one', true],
  ])('with the key that the device %s makes no recorded statement good again', async (_, isOlder) => {
    const { device } = await broughtTo('succeeded')(server)
    const recorded = device.said[0]
    assert.ok(recorded)
    const tokenFor = (): Promise<string> => server.enrolmentToken(device.machineId)
    if (isOlder) await enrol(server, { token: await tokenFor() })
    await send((await enrolmentOf(server, { token: await tokenFor(), key: device.key })).jws)
    const { id } = await server.issue(device.machineId)
    const last = server.history.last()
    await device.send(recorded)
    assert.equal(server.history.last(), last)
    assert.equal((await server.read(id)).countermand.phase, 'queued')
  })
})
