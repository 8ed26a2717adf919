/** What stands, from request to cancel, as the device and the client see it (`cancel.md` 7 and 8). */
import assert from 'node:assert/strict'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Machine, MachineAction } from '@countermand/contract'
import { enrol, type TestDevice } from '../../testing/device.ts'
import { serverOfTheFile } from '../../testing/scenarios.ts'
import { expectStatus, here, minute, type TestServer } from '../../testing/server.ts'
import { fail, postureIn, settle, stand, take } from '../../testing/standing.ts'

let server: TestServer
let device: TestDevice
beforeEach(async () => {
  server = await serverOfTheFile()
  device = await enrol(server)
  await device.sync()
})

const post = async <Body = MachineAction>(path: string, body: object = { Comment: 'case 17' }) =>
  server.ask<Body>({
    method: 'POST',
    path,
    body,
    token: await server.token('Machine.Isolate', 'Countermand.Force'),
  })

const issue = async (tail: 'isolate' | 'unisolate', more: object = {}): Promise<string> =>
  expectStatus(201, await post(`/api/machines/${device.machineId}/${tail}`, { Comment: 'case 17', ...more }))
    .id

const cancel = async (id: string, Comment = 'wrong host'): Promise<MachineAction> =>
  expectStatus(200, await post(`/api/machineactions/${id}/cancel`, { Comment }))

const stateOf = async (id: string) => {
  const { status, countermand } = await server.read(id)
  const { phase, proof, effect, cancel: asked } = countermand
  return { status, phase, proof, effect: effect.state, cancel: asked?.state ?? null }
}

const machine = async (): Promise<Machine> =>
  expectStatus(
    200,
    await server.ask<Machine>({
      method: 'GET',
      path: `/api/machines/${device.machineId}`,
      token: await server.token('Machine.Read.All'),
    }),
  )
const isolation = async () => (await machine()).countermand.isolation

/** Isolated, reported, over. */
const isolated = async (): Promise<string> => {
  const id = await issue('isolate')
  await settle(device)
  assert.equal((await stateOf(id)).phase, 'succeeded')
  return id
}

describe('a document', () => {
  test('says nothing and has no generation while nobody asked for anything', async () => {
    const posture = postureIn(await device.sync())
    expect(posture).toEqual({
      generation: 0,
      isolation: { action: null, type: 'None', allow: [], confirm: 'revert' },
      server: [here],
      withdrawn: [],
    })
  })

  test('carries the isolation, and where the server is', async () => {
    const id = await issue('isolate')
    const posture = postureIn(await device.sync())
    expect(posture).toEqual({
      generation: 1,
      isolation: { action: id, type: 'Full', allow: [], confirm: 'revert' },
      server: [here],
      withdrawn: [],
    })
    expect(await stateOf(id)).toMatchObject({ status: 'Pending', phase: 'offered' })
    expect(postureIn(await device.sync())).toEqual(posture)
  })

  test('says nothing to an agent that does not know of it', async () => {
    device.posture = undefined
    assert.equal((await device.sync()).posture, null)
  })

  test('in answer to a statement said again carries nothing that was taken back since', async () => {
    const id = await issue('isolate')
    const said = await device.say()
    assert.equal(postureIn(await device.exchange(said)).isolation.action, id)
    await cancel(id)
    assert.equal((await device.exchange(said)).posture, null)
  })

  test('never goes back behind a generation that the device has taken', async () => {
    assert.ok(device.posture)
    device.posture = { ...device.posture, taken: 41 }
    assert.equal(postureIn(await device.sync()).generation, 42)
  })
})

describe('an isolation', () => {
  test('is under way once the device has it on disk, and over once it stands', async () => {
    const id = await issue('isolate')
    take(device, postureIn(await device.sync()))
    const posture = postureIn(await device.sync())
    expect(await stateOf(id)).toMatchObject({ status: 'InProgress', phase: 'running' })
    stand(device, posture)
    await device.sync()
    expect(await stateOf(id)).toMatchObject({ status: 'Succeeded', phase: 'succeeded', effect: 'applied' })
  })

  test('that the device could not apply has failed, and is not asked for again', async () => {
    const id = await issue('isolate')
    const posture = postureIn(await device.sync())
    fail(device, posture, 'No contact with the server within 60 s')
    const next = postureIn(await device.sync())
    assert.equal(next.isolation.type, 'None')
    assert.equal(next.generation, posture.generation + 1)
    expect(await stateOf(id)).toMatchObject({ status: 'Failed', effect: 'none' })
  })

  test('that is reported is final: its cancel names Unisolate', async () => {
    const id = await isolated()
    const answer = await post<{ error: { message: string } }>(`/api/machineactions/${id}/cancel`)
    assert.equal(answer.status, 400)
    assert.match(answer.body.error.message, /Unisolate/)
  })
})

describe('a cancel of an isolation', () => {
  test('that no reply has carried is immediate', async () => {
    const id = await issue('isolate')
    await cancel(id)
    expect(await stateOf(id)).toMatchObject({ status: 'Cancelled', proof: 'never_offered', effect: 'none' })
    assert.equal(postureIn(await device.sync()).isolation.type, 'None')
  })

  test.each(['offered', 'running', 'applied'])('that is %s waits for a posture without it', async (to) => {
    const id = await issue('isolate')
    const first = postureIn(await device.sync())
    if (to !== 'offered') take(device, first)
    if (to === 'running') await device.sync()
    if (to === 'applied') stand(device, first)
    await cancel(id)
    expect(await stateOf(id)).toMatchObject({
      status: to === 'running' ? 'InProgress' : 'Pending',
      proof: null,
    })
    const without = postureIn(await device.sync())
    expect(without).toMatchObject({ isolation: { action: null, type: 'None' }, withdrawn: [id] })
    take(device, without)
    const still = postureIn(await device.sync())
    expect(await stateOf(id)).toMatchObject({ proof: null, cancel: 'acknowledged' })
    stand(device, still)
    const after = postureIn(await device.sync())
    expect(await stateOf(id)).toEqual({
      status: 'Cancelled',
      phase: 'cancelled',
      proof: 'reverted',
      effect: 'reverted',
      cancel: 'confirmed',
    })
    assert.deepEqual(after.withdrawn, [])
  })

  test('twice is one', async () => {
    const id = await issue('isolate')
    await device.sync()
    await cancel(id)
    await cancel(id)
    await settle(device)
    await cancel(id)
    expect(await stateOf(id)).toMatchObject({ status: 'Cancelled', proof: 'reverted' })
  })

  test('is not ended by a device that went back by itself', async () => {
    const id = await issue('isolate')
    const posture = postureIn(await device.sync())
    take(device, posture)
    await device.sync()
    await cancel(id)
    fail(device, posture, 'No contact with the server within 60 s')
    await device.sync()
    expect(await stateOf(id)).toMatchObject({ status: 'InProgress', phase: 'settling', proof: null })
    await settle(device)
    expect(await stateOf(id)).toMatchObject({ status: 'Cancelled', proof: 'reverted' })
  })

  test('that the device cannot carry out has failed, with what remains', async () => {
    const id = await issue('isolate')
    take(device, postureIn(await device.sync()))
    await device.sync()
    await cancel(id)
    await device.sync()
    device.tell({
      kind: 'revert_failed',
      action: id,
      residues: ['nft: Operation not permitted'],
      commands: [],
    })
    await device.sync()
    const { status, countermand } = await server.read(id)
    assert.equal(status, 'Failed')
    assert.deepEqual(countermand.effect, { state: 'partial', residues: ['nft: Operation not permitted'] })
    await settle(device)
    const healed = await server.read(id)
    assert.equal(healed.status, 'Failed')
    assert.deepEqual(healed.countermand.effect, { state: 'reverted', residues: [] })
  })

  test('of the second leaves the first standing', async () => {
    const first = await isolated()
    const second = await issue('isolate')
    take(device, postureIn(await device.sync()))
    await device.sync()
    await cancel(second)
    const posture = await settle(device)
    assert.equal(posture.isolation.action, first)
    expect(await stateOf(second)).toMatchObject({ status: 'Cancelled', proof: 'reverted' })
    expect(await stateOf(first)).toMatchObject({ status: 'Succeeded' })
    expect(await isolation()).toMatchObject({ state: 'Isolated', actionId: first, confirmed: true })
  })

  test('that is forced on a silent device still reaches it', async () => {
    const id = await issue('isolate')
    take(device, postureIn(await device.sync()))
    await device.sync()
    server.clock.pass(3 * minute)
    await post(`/api/machineactions/${id}/cancel`, {
      Comment: 'lost',
      countermand: { force: true, attest: 'seen on site' },
    })
    expect(await stateOf(id)).toMatchObject({ status: 'Cancelled', proof: 'attested', effect: 'unknown' })
    await settle(device)
    assert.equal(device.posture?.isolation.type, 'None')
    expect(await stateOf(id)).toMatchObject({ status: 'Cancelled', effect: 'reverted' })
  })
})

describe('the last one said', () => {
  test('an Unisolate takes back an Isolate that no reply has carried, and names itself', async () => {
    const earlier = await issue('isolate')
    const later = await issue('unisolate')
    const { status, countermand, cancellationComment } = await server.read(earlier)
    assert.equal(status, 'Cancelled')
    assert.equal(countermand.reason, 'superseded')
    assert.equal(countermand.cancel?.supersededBy, later)
    assert.match(cancellationComment ?? '', new RegExp(later))
    await settle(device)
    expect(await stateOf(later)).toMatchObject({ status: 'Succeeded' })
  })

  test('an Unisolate takes back an Isolate that is under way', async () => {
    const earlier = await issue('isolate')
    take(device, postureIn(await device.sync()))
    await device.sync()
    const later = await issue('unisolate')
    const posture = await settle(device)
    expect(posture.isolation).toMatchObject({ action: later, type: 'None' })
    expect(await stateOf(earlier)).toMatchObject({ status: 'Cancelled', proof: 'reverted' })
    expect(await stateOf(later)).toMatchObject({ status: 'Succeeded' })
  })

  test('the cancel of an Unisolate lets the isolation show through again', async () => {
    const first = await isolated()
    const later = await issue('unisolate')
    take(device, postureIn(await device.sync()))
    await device.sync()
    await cancel(later)
    const posture = await settle(device)
    expect(posture.isolation).toMatchObject({ action: first, type: 'Full' })
    expect(await stateOf(later)).toMatchObject({ status: 'Cancelled', proof: 'reverted' })
  })

  test('one whose time comes later is the later one', async () => {
    const first = await issue('unisolate', {
      countermand: { notBefore: new Date(server.clock.now.getTime() + minute).toISOString() },
    })
    const second = await issue('isolate')
    assert.equal(postureIn(await device.sync()).isolation.action, second)
    server.clock.pass(2 * minute)
    await server.app.store.write('expireAction', first)
    expect(await server.read(second)).toMatchObject({ countermand: { cancel: { supersededBy: first } } })
    const posture = await settle(device)
    assert.equal(posture.isolation.action, first)
  })
})

const listed = async (filter: string): Promise<readonly string[]> => {
  const path = `/api/machines?$filter=${encodeURIComponent(filter)}`
  const token = await server.token('Machine.Read.All')
  const answer = await server.ask<{ value: Machine[] }>({ method: 'GET', path, token })
  return expectStatus(200, answer).value.map(({ id }) => id)
}

describe('who is contained now', () => {
  test('nobody who was never asked to be', async () => {
    expect(await isolation()).toEqual({
      state: 'NotIsolated',
      type: null,
      actionId: null,
      sinceDateTimeUtc: null,
      confirmed: true,
    })
  })

  test('is shown from the order to the confirmation, and until it is confirmed gone', async () => {
    const id = await issue('isolate', { IsolationType: 'Selective' })
    const first = postureIn(await device.sync())
    const ordered = { type: 'Selective', actionId: id, sinceDateTimeUtc: null, confirmed: false }
    expect(await isolation()).toEqual({ state: 'Isolating', ...ordered })
    take(device, first)
    stand(device, postureIn(await device.sync()))
    const at = server.clock.now
    await device.sync()
    server.clock.pass(minute)
    await device.sync()
    const { sinceDateTimeUtc, ...rest } = await isolation()
    expect(rest).toEqual({ state: 'Isolated', type: 'Selective', actionId: id, confirmed: true })
    assert.equal(new Date(sinceDateTimeUtc ?? '').getTime(), at.getTime())
    const isIn = async (filter: string) => (await listed(filter)).includes(device.machineId)
    assert.ok(await isIn(`countermand/isolation/state eq 'Isolated'`))
    assert.ok(
      await isIn(`countermand/isolation/actionId eq '${id}' and countermand/isolation/type eq 'selective'`),
    )
    assert.ok(await isIn(`countermand/isolation/sinceDateTimeUtc le ${at.toISOString()}`))
    assert.ok(!(await isIn(`countermand/isolation/state ne 'Isolated'`)))
    await issue('unisolate')
    await device.sync()
    expect(await isolation()).toMatchObject({ state: 'Releasing', actionId: id, confirmed: false })
    await settle(device)
    expect(await isolation()).toMatchObject({ state: 'NotIsolated', confirmed: true })
    assert.ok(await isIn(`countermand/isolation/state eq 'NotIsolated'`))
  })
})

const last = () =>
  server.history
    .events()
    .filter(({ chain }) => chain === device.machineId)
    .at(-1)

describe('on record, with an alarm', () => {
  test('drift that the device has put right', async () => {
    const action = await isolated()
    device.tell({ kind: 'drifted', action, detail: 'the table was gone' })
    await device.sync()
    expect(last()).toMatchObject({
      kind: 'device.drift',
      alarm: true,
      data: { action, detail: 'the table was gone' },
    })
  })

  test('a release on the spot; at the next contact the isolation stands again', async () => {
    const action = await isolated()
    const generation = device.posture?.stands ?? 0
    device.posture = { taken: 0, stands: 0, isolation: { action: null, type: 'None' } }
    device.tell({ kind: 'released', action, generation })
    const posture = postureIn(await device.sync())
    expect(last()).toMatchObject({ kind: 'device.released', alarm: true, data: { action, generation } })
    expect(posture.isolation).toMatchObject({ action, type: 'Full' })
    expect(await isolation()).toMatchObject({ state: 'Isolating', confirmed: false })
  })

  test('an isolation by an action that is not known here', async () => {
    const stranger = '01900000-0000-7000-8000-000000000000'
    device.posture = { taken: 3, stands: 3, isolation: { action: stranger, type: 'Full' } }
    const posture = postureIn(await device.sync())
    const noted = server.history.events().filter(({ chain }) => chain === device.machineId)
    expect(noted.find(({ kind }) => kind === 'device.unknown_posture')).toMatchObject({ alarm: true })
    expect(posture).toMatchObject({ generation: 4, isolation: { action: null, type: 'None' } })
  })
})
