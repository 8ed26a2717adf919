/** A device that says that it has left: not heard any more, asked nothing more, and back under its id by a new token only. */
import assert from 'node:assert/strict'
import type { Machine, MachineAction } from '@countermand/contract'
import { describe, test } from 'vitest'
import { expireActions } from '../../app/actions/expire-actions.ts'
import { able, enrol, enrolmentOf, post, signed, type TestDevice } from '../../testing/device.ts'
import { cancel, kindsOf } from '../../testing/given.ts'
import { checkError, serverOfTheFile } from '../../testing/scenarios.ts'
import { day, expectStatus, runScript, type Answer, type TestServer } from '../../testing/server.ts'
import { postureIn, settle } from '../../testing/standing.ts'

const capabilities = { ...able, Offboard: { able: true as const } }
const was = /was offboarded here/

const ask = async (
  server: TestServer,
  { machineId }: TestDevice,
  [tail, permission, body]: readonly [string, string, object],
): Promise<Answer<MachineAction>> => {
  const token = await server.token(permission)
  return server.ask({ method: 'POST', path: `/api/machines/${machineId}/${tail}`, token, body })
}
const issue = async (server: TestServer, device: TestDevice): Promise<string> =>
  expectStatus(201, await ask(server, device, ['offboard', 'Machine.Offboard', { Comment: 'sold' }])).id

const get = async <Body>(server: TestServer, path: string, permission: string): Promise<Body> =>
  expectStatus(200, await server.ask<Body>({ method: 'GET', path, token: await server.token(permission) }))
const machine = (server: TestServer, { machineId }: TestDevice): Promise<Machine> =>
  get(server, `/api/machines/${machineId}`, 'Machine.Read.All')
const entry = (server: TestServer, { machineId }: TestDevice): Promise<Record<string, unknown>> =>
  get(server, `/api/countermand/devices/${machineId}`, 'Countermand.Administer')

function isRefused(answer: Answer): void {
  assert.equal(answer.status, 401, answer.text)
  checkError(answer, 'Unauthorized', [was])
}

interface Left {
  readonly server: TestServer
  readonly device: TestDevice
  readonly id: string
}

/** A device past its commit point, which has not said so yet. */
async function leaving(): Promise<Left> {
  const server = await serverOfTheFile()
  const device = await enrol(server, { capabilities })
  const id = await issue(server, device)
  await device.bring(id, 'running')
  return { server, device, id }
}

async function gone(): Promise<Left> {
  const left = await leaving()
  left.device.finish(left.id)
  await left.device.sync()
  return left
}

const kinds = (server: TestServer, { machineId }: TestDevice): readonly string[] =>
  server.history.events().flatMap(({ chain, kind }) => (chain === machineId ? [kind] : []))

describe('a device that has been offboarded', () => {
  test('is answered once more, with an acknowledgement and nothing else', async () => {
    const { server, device, id } = await leaving()
    device.finish(id)
    const reply = await device.sync()
    assert.deepEqual(
      [reply.acknowledged, reply.finals, reply.offers, reply.starts, reply.postures],
      [2, [id], [], [], {}],
    )
    assert.equal((await server.read(id)).status, 'Succeeded')
    assert.deepEqual(kinds(server, device).slice(-2), ['action.succeeded', 'device.offboarded'])
    assert.deepEqual(server.history.faultsOf(device.machineId), [])
  })

  test('is not heard after that: its last statement again, a new one, and its ticket are refused', async () => {
    const { server, device, id } = await gone()
    const before = server.history.last()
    const last = device.said.at(-1)
    assert.ok(last)
    isRefused(await device.send(last))
    isRefused(await device.send(await device.say()))
    isRefused(await device.ask(id, { result: 0 }))
    isRefused(await server.ask({ method: 'GET', path: '/device/wake', token: device.ticket }))
    assert.equal(server.history.last(), before)
  })

  test('is shown as such, in lists too, and is not active though it has just been seen', async () => {
    const { server, device } = await gone()
    const { onboardingStatus, healthStatus, lastSeen, countermand } = await machine(server, device)
    assert.deepEqual([onboardingStatus, healthStatus], ['CanBeOnboarded', 'Inactive'])
    assert.equal(countermand.offboardedDateTimeUtc, lastSeen)
    const { state, offboardedDateTimeUtc } = await entry(server, device)
    assert.deepEqual([state, offboardedDateTimeUtc], ['Offboarded', lastSeen])
    const fits = "onboardingStatus eq 'CanBeOnboarded' and healthStatus eq 'Inactive'"
    const path = `/api/machines?$filter=id eq '${device.machineId}' and ${fits}`
    const { value } = await get<{ value: unknown[] }>(server, path, 'Machine.Read.All')
    assert.equal(value.length, 1)
  })

  test('is asked nothing more: DisallowedOperation, and no event', async () => {
    const { server, device } = await gone()
    const before = server.history.last()
    const orders = [
      ['offboard', 'Machine.Offboard', { Comment: 'x' }, 'Offboard'],
      ['isolate', 'Machine.Isolate', { Comment: 'x' }, 'Isolate'],
      ['unisolate', 'Machine.Isolate', { Comment: 'x' }, 'Unisolate'],
      ['runliveresponse', 'Machine.LiveResponse', { Commands: [runScript('run.sh')] }, 'LiveResponse'],
    ] as const
    for (const [tail, permission, body, type] of orders) {
      const answer = await ask(server, device, [tail, permission, body])
      assert.equal(answer.status, 403, answer.text)
      const text = `${type} is not possible: machine ${device.machineId} was offboarded.`
      checkError(answer, 'DisallowedOperation', text)
    }
    assert.equal(server.history.last(), before)
  })

  test('takes with it what was still open there: cancelled if it was never offered, else timed out', async () => {
    const server = await serverOfTheFile()
    const device = await enrol(server, { capabilities })
    const notBefore = new Date(server.clock.now.getTime() + day).toISOString()
    const script = { Commands: [runScript('run.sh')], Comment: 'x' }
    const soon = { ...script, countermand: { notBefore } }
    const { id: scheduled } = expectStatus(
      201,
      await ask(server, device, ['runliveresponse', 'Machine.LiveResponse', soon]),
    )
    const { id: stopping } = await server.issue(device.machineId)
    await device.bring(stopping, 'running')
    await cancel(server, stopping)
    const id = await issue(server, device)
    await device.bring(id, 'succeeded')
    const ends = await Promise.all([scheduled, stopping].map((each) => server.read(each)))
    assert.deepEqual(
      ends.map(({ status, countermand }) => [status, countermand.proof, countermand.reason]),
      [
        ['Cancelled', 'never_offered', 'device_removed'],
        ['TimeOut', null, 'device_removed'],
      ],
    )
    assert.deepEqual(server.history.faultsOf(device.machineId), [])
  })

  test('comes back under its id by a token that was made for it since, free of what stood', async () => {
    const server = await serverOfTheFile()
    const device = await enrol(server, { capabilities })
    const older = await server.enrolmentToken(device.machineId)
    await ask(server, device, ['isolate', 'Machine.Isolate', { Comment: 'x' }])
    await settle(device)
    const id = await issue(server, device)
    await device.bring(id, 'succeeded')

    const own = await enrolmentOf(server, { capabilities })
    const header = { typ: 'countermand-former+jws', kid: device.machineId }
    const word = { machineId: device.machineId, key: own.key.thumbprint }
    const former = await signed(device.key, word, header)
    const asNew = `cme1.${Buffer.from(JSON.stringify(own.token)).toString('base64url')}`
    const vouched = await enrolmentOf(server, { key: own.key, token: asNew, former })
    isRefused(await post(server, '/device/enrol', vouched.jws))
    const late = await post(server, '/device/enrol', (await enrolmentOf(server, { token: older })).jws)
    checkError(late, 'Unauthorized', [/the token has been revoked/])

    const token = await server.enrolmentToken(device.machineId)
    const again = await enrol(server, { capabilities, token })
    assert.equal(again.machineId, device.machineId)
    assert.equal((await entry(server, again)).state, 'Enrolled')
    const { onboardingStatus, countermand } = await machine(server, again)
    assert.deepEqual([onboardingStatus, countermand.offboardedDateTimeUtc], ['Onboarded', null])
    assert.equal(countermand.isolation.state, 'NotIsolated')
    assert.equal(postureIn(await again.sync()).type, 'None')
    const { id: next } = await server.issue(again.machineId)
    await again.bring(next, 'succeeded')
    assert.equal((await server.read(next)).status, 'Succeeded')
    assert.deepEqual(server.history.faultsOf(device.machineId), [])
  })
})

describe('a cancel of an offboarding', () => {
  test('that came before the commit point is proven as any other', async () => {
    const { server, device, id } = await leaving()
    await cancel(server, id)
    assert.deepEqual((await device.sync()).cancels, [id])
    device.tell({ kind: 'cancel_acknowledged', action: id })
    device.hold(id, 'over')
    device.tell({ kind: 'reverted', action: id, commands: [] })
    await device.sync()
    const { status, countermand } = await server.read(id)
    assert.deepEqual([status, countermand.proof], ['Cancelled', 'reverted'])
    assert.equal((await machine(server, device)).onboardingStatus, 'Onboarded')
    await device.sync()
  })

  test('that came after it is refused by the device, and the offboarding succeeds', async () => {
    const { server, device, id } = await leaving()
    await cancel(server, id)
    await device.sync()
    device.tell({ kind: 'cannot_stop', action: id, detail: 'past the commit point' })
    await device.sync()
    const open = await server.read(id)
    assert.deepEqual([open.status, open.countermand.cancel?.detail], ['InProgress', 'past the commit point'])
    device.finish(id)
    await device.sync()
    const { status, cancellationRequestor, cancellationDateTimeUtc, countermand } = await server.read(id)
    assert.deepEqual(
      [status, cancellationRequestor, cancellationDateTimeUtc, countermand.cancel?.state],
      ['Succeeded', 'ann', null, 'refused'],
    )
    assert.ok(kindsOf(server, id).includes('cancel_refused'))
    isRefused(await device.send(await device.say()))
    assert.deepEqual(server.history.faultsOf(device.machineId), [])
  })

  test('that crossed the last word is too late', async () => {
    const { server, device, id } = await leaving()
    await cancel(server, id)
    device.finish(id)
    await device.sync()
    const { status, countermand } = await server.read(id)
    assert.deepEqual([status, countermand.cancel?.state], ['Succeeded', 'too_late'])
  })
})

describe('that it has left is taken from a device', () => {
  test('also when nobody waited for it any more', async () => {
    const { server, device, id } = await leaving()
    server.clock.pass(5 * day)
    await expireActions(server.app)
    assert.equal((await server.read(id)).status, 'TimeOut')
    device.finish(id)
    await device.sync()
    assert.equal((await server.read(id)).countermand.lateOutcome, 'succeeded')
    assert.equal((await entry(server, device)).state, 'Offboarded')
    assert.deepEqual(server.history.faultsOf(device.machineId), [])
  })

  test('and not of what an earlier incarnation of it was to do', async () => {
    const { server, device, id } = await leaving()
    const token = await server.enrolmentToken(device.machineId)
    const again = await enrol(server, { capabilities, token })
    again.finish(id)
    await again.sync()
    assert.equal((await server.read(id)).countermand.lateOutcome, 'succeeded')
    assert.equal((await entry(server, again)).state, 'Enrolled')
  })
})
