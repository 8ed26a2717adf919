/** What stands, from request to cancel, as the device and the client see it (`cancel.md` 7 and 8): the same for each aspect. */
import assert from 'node:assert/strict'
import { beforeEach, describe, expect, test } from 'vitest'
import { enrol, type TestDevice } from '../../testing/device.ts'
import { serverOfTheFile } from '../../testing/scenarios.ts'
import { minute, type TestServer } from '../../testing/server.ts'
import { fail, postureIn, report, reportOf, settle, stand, take } from '../../testing/standing.ts'
import { actsOf, kinds } from '../../testing/standing-acts.ts'

let server: TestServer
let device: TestDevice
beforeEach(async () => {
  server = await serverOfTheFile()
  device = await enrol(server)
  await device.sync()
})

const { post, issue, cancel, stateOf, machine } = actsOf(() => ({ server, device }))

describe.each(kinds)('$aspect:', (kind) => {
  const { aspect, on, off } = kind
  const told = async () => postureIn(await device.sync(), aspect)
  const takes = (posture: Parameters<typeof take>[1]): void => take(device, posture, aspect)
  const stands = (posture: Parameters<typeof take>[1]): void => stand(device, posture, aspect)
  const settles = () => settle(device, aspect)
  const shown = async () => (await machine()).countermand[aspect]

  /** It stands, reported, over. */
  const standing = async (): Promise<string> => {
    const id = await issue(on)
    await settles()
    assert.equal((await stateOf(id)).phase, 'succeeded')
    return id
  }

  describe('a document', () => {
    test('says nothing and has no generation while nobody asked for anything', async () => {
      const posture = await told()
      expect(posture).toEqual({
        generation: 0,
        action: null,
        type: 'None',
        ...kind.passage,
        withdrawn: [],
      })
    })

    test('carries who decides, and of an isolation where the server is', async () => {
      const id = await issue(on)
      const posture = await told()
      expect(posture).toEqual({
        generation: 1,
        action: id,
        type: 'Full',
        ...kind.passage,
        withdrawn: [],
      })
      expect(await stateOf(id)).toMatchObject({ status: 'Pending', phase: 'offered' })
      expect(await told()).toEqual(posture)
    })

    test('says nothing to an agent that does not know of it', async () => {
      device.postures = { ...device.postures, [aspect]: undefined }
      assert.equal((await device.sync()).postures[aspect], undefined)
    })

    test('in answer to a statement said again carries nothing that was taken back since', async () => {
      const id = await issue(on)
      const said = await device.say()
      assert.equal(postureIn(await device.exchange(said), aspect).action, id)
      await cancel(id)
      assert.equal((await device.exchange(said)).postures[aspect], undefined)
    })

    test('never goes back behind a generation that the device has taken', async () => {
      report(device, { taken: 41 }, aspect)
      assert.equal((await told()).generation, 42)
    })
  })

  describe('an action that makes it stand', () => {
    test('is under way once the device has it on disk, and over once it stands', async () => {
      const id = await issue(on)
      takes(await told())
      const posture = await told()
      expect(await stateOf(id)).toMatchObject({ status: 'InProgress', phase: 'running' })
      stands(posture)
      await device.sync()
      expect(await stateOf(id)).toMatchObject({ status: 'Succeeded', phase: 'succeeded', effect: 'applied' })
    })

    test('that the device could not apply has failed, and is not asked for again', async () => {
      const id = await issue(on)
      const posture = await told()
      fail(device, posture, 'the host said no')
      const next = await told()
      assert.equal(next.type, 'None')
      assert.equal(next.generation, posture.generation + 1)
      expect(await stateOf(id)).toMatchObject({ status: 'Failed', effect: 'none' })
    })

    test('that is reported is final: its cancel names the inverse', async () => {
      const id = await standing()
      const answer = await post<{ error: { message: string } }>(`/api/machineactions/${id}/cancel`)
      assert.equal(answer.status, 400)
      assert.match(answer.body.error.message, kind.inverse)
    })
  })

  describe('a cancel', () => {
    test('that no reply has carried is immediate', async () => {
      const id = await issue(on)
      await cancel(id)
      expect(await stateOf(id)).toMatchObject({ status: 'Cancelled', proof: 'never_offered', effect: 'none' })
      assert.equal((await told()).type, 'None')
    })

    test.each(['offered', 'running', 'applied'])('that is %s waits for a posture without it', async (to) => {
      const id = await issue(on)
      const first = await told()
      if (to !== 'offered') takes(first)
      if (to === 'running') await device.sync()
      if (to === 'applied') stands(first)
      await cancel(id)
      expect(await stateOf(id)).toMatchObject({
        status: to === 'running' ? 'InProgress' : 'Pending',
        proof: null,
      })
      const without = await told()
      expect(without).toMatchObject({ action: null, type: 'None', withdrawn: [id] })
      takes(without)
      const still = await told()
      expect(await stateOf(id)).toMatchObject({ proof: null, cancel: 'acknowledged' })
      stands(still)
      const after = await told()
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
      const id = await issue(on)
      await device.sync()
      await cancel(id)
      await cancel(id)
      await settles()
      await cancel(id)
      expect(await stateOf(id)).toMatchObject({ status: 'Cancelled', proof: 'reverted' })
    })

    test('is not ended by a device that went back by itself', async () => {
      const id = await issue(on)
      const posture = await told()
      takes(posture)
      await device.sync()
      await cancel(id)
      fail(device, posture, 'the host said no')
      await device.sync()
      expect(await stateOf(id)).toMatchObject({ status: 'InProgress', phase: 'settling', proof: null })
      await settles()
      expect(await stateOf(id)).toMatchObject({ status: 'Cancelled', proof: 'reverted' })
    })

    test('that the device cannot carry out has failed, with what remains', async () => {
      const id = await issue(on)
      takes(await told())
      await device.sync()
      await cancel(id)
      await device.sync()
      device.tell({
        kind: 'revert_failed',
        action: id,
        residues: ['Operation not permitted'],
        commands: [],
      })
      await device.sync()
      const { status, countermand } = await server.read(id)
      assert.equal(status, 'Failed')
      assert.deepEqual(countermand.effect, { state: 'partial', residues: ['Operation not permitted'] })
      await settles()
      const healed = await server.read(id)
      assert.equal(healed.status, 'Failed')
      assert.deepEqual(healed.countermand.effect, { state: 'reverted', residues: [] })
    })

    test('of the second leaves the first standing', async () => {
      const first = await standing()
      const second = await issue(on)
      takes(await told())
      await device.sync()
      await cancel(second)
      const posture = await settles()
      assert.equal(posture.action, first)
      expect(await stateOf(second)).toMatchObject({ status: 'Cancelled', proof: 'reverted' })
      expect(await stateOf(first)).toMatchObject({ status: 'Succeeded' })
      expect(await shown()).toMatchObject({ state: kind.states.there, actionId: first, confirmed: true })
    })

    test('that is forced on a silent device still reaches it', async () => {
      const id = await issue(on)
      takes(await told())
      await device.sync()
      server.clock.pass(3 * minute)
      await post(`/api/machineactions/${id}/cancel`, {
        Comment: 'lost',
        countermand: { force: true, attest: 'seen on site' },
      })
      expect(await stateOf(id)).toMatchObject({ status: 'Cancelled', proof: 'attested', effect: 'unknown' })
      await settles()
      assert.equal(reportOf(device, aspect).type, 'None')
      expect(await stateOf(id)).toMatchObject({ status: 'Cancelled', effect: 'reverted' })
    })
  })

  describe('the last one said', () => {
    test('a later inverse takes back one that no reply has carried, and names itself', async () => {
      const earlier = await issue(on)
      const later = await issue(off)
      const { status, countermand, cancellationComment } = await server.read(earlier)
      assert.equal(status, 'Cancelled')
      assert.equal(countermand.reason, 'superseded')
      assert.equal(countermand.cancel?.supersededBy, later)
      assert.match(cancellationComment ?? '', new RegExp(later))
      await settles()
      expect(await stateOf(later)).toMatchObject({ status: 'Succeeded' })
    })

    test('a later inverse takes back one that is under way', async () => {
      const earlier = await issue(on)
      takes(await told())
      await device.sync()
      const later = await issue(off)
      const posture = await settles()
      expect(posture).toMatchObject({ action: later, type: 'None' })
      expect(await stateOf(earlier)).toMatchObject({ status: 'Cancelled', proof: 'reverted' })
      expect(await stateOf(later)).toMatchObject({ status: 'Succeeded' })
    })

    test('the cancel of an inverse lets what stood show through again', async () => {
      const first = await standing()
      const later = await issue(off)
      takes(await told())
      await device.sync()
      await cancel(later)
      const posture = await settles()
      expect(posture).toMatchObject({ action: first, type: 'Full' })
      expect(await stateOf(later)).toMatchObject({ status: 'Cancelled', proof: 'reverted' })
    })

    test('one whose time comes later is the later one', async () => {
      const first = await issue(off, {
        countermand: { notBefore: new Date(server.clock.now.getTime() + minute).toISOString() },
      })
      const second = await issue(on)
      assert.equal((await told()).action, second)
      server.clock.pass(2 * minute)
      await server.app.store.write('expireAction', first)
      expect(await server.read(second)).toMatchObject({ countermand: { cancel: { supersededBy: first } } })
      const posture = await settles()
      assert.equal(posture.action, first)
    })
  })
})
