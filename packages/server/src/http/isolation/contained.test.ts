/** Who is contained, as it is shown, found and put on record; and that one aspect is nothing to the other. */
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

const { issue, stateOf, machine, isListed, last } = actsOf(() => ({ server, device }))

describe.each(kinds)('$aspect:', (kind) => {
  const { aspect, on, off } = kind
  const told = async () => postureIn(await device.sync(), aspect)
  const takes = (posture: Parameters<typeof take>[1]): void => take(device, posture, aspect)
  const stands = (posture: Parameters<typeof take>[1]): void => stand(device, posture, aspect)
  const settles = () => settle(device, aspect)
  const shown = async () => (await machine()).countermand[aspect]
  const field = (name: string): string => `countermand/${aspect}/${name}`

  /** It stands, reported, over. */
  const standing = async (): Promise<string> => {
    const id = await issue(on)
    await settles()
    assert.equal((await stateOf(id)).phase, 'succeeded')
    return id
  }

  describe('who is contained now', () => {
    test('nobody who was never asked to be', async () => {
      const by = { actionId: null, sinceDateTimeUtc: null, confirmed: true }
      expect(await shown()).toEqual({ state: kind.states.free, ...kind.shownFree, ...by })
      assert.ok(await isListed(`${field('state')} eq '${kind.states.free}'`))
    })

    test('is shown from the order to the confirmation, and until it is confirmed gone', async () => {
      const { states } = kind
      const id = await issue(on)
      const first = await told()
      const ordered = { actionId: id, sinceDateTimeUtc: null, confirmed: false }
      expect(await shown()).toEqual({ state: states.coming, ...kind.shown, ...ordered })
      takes(first)
      stands(await told())
      const at = server.clock.now
      await device.sync()
      server.clock.pass(minute)
      await device.sync()
      const { sinceDateTimeUtc, ...rest } = await shown()
      expect(rest).toEqual({ state: states.there, ...kind.shown, actionId: id, confirmed: true })
      assert.equal(new Date(sinceDateTimeUtc ?? '').getTime(), at.getTime())
      assert.ok(await isListed(`${field('state')} eq '${states.there}'`))
      assert.ok(await isListed(`${field('actionId')} eq '${id}'`))
      assert.ok(await isListed(`${field('sinceDateTimeUtc')} le ${at.toISOString()}`))
      assert.ok(!(await isListed(`${field('state')} ne '${states.there}'`)))
      await issue(off)
      await device.sync()
      expect(await shown()).toMatchObject({ state: states.going, actionId: id, confirmed: false })
      await settles()
      expect(await shown()).toMatchObject({ state: states.free, confirmed: true })
      assert.ok(await isListed(`${field('state')} eq '${states.free}'`))
    })
  })

  describe('on record, with an alarm', () => {
    test('drift that the device has put right', async () => {
      const action = await standing()
      device.tell({ kind: 'drifted', action, detail: 'it was gone' })
      await device.sync()
      expect(last()).toMatchObject({
        kind: 'device.drift',
        alarm: true,
        data: { action, detail: 'it was gone' },
      })
    })

    test('a release on the spot; at the next contact it stands again', async () => {
      const action = await standing()
      const generation = reportOf(device, aspect).stands
      report(device, { taken: 0, stands: 0, action: null, type: 'None' }, aspect)
      device.tell({ kind: 'released', action, generation })
      const posture = await told()
      expect(last()).toMatchObject({ kind: 'device.released', alarm: true, data: { action, generation } })
      expect(posture).toMatchObject({ action, type: 'Full' })
      expect(await shown()).toMatchObject({ state: kind.states.coming, confirmed: false })
    })

    test('one that stands by an action that is not known here', async () => {
      const stranger = '01900000-0000-7000-8000-000000000000'
      report(device, { taken: 3, stands: 3, action: stranger, type: 'Full' }, aspect)
      const posture = await told()
      const noted = server.history.events().filter(({ chain }) => chain === device.machineId)
      expect(noted.find((event) => event.kind === 'device.unknown_posture')).toMatchObject({
        alarm: true,
        data: { aspect, action: stranger },
      })
      expect(posture).toMatchObject({ generation: 4, action: null, type: 'None' })
    })
  })
})

test('an isolation that is Selective is shown and found as that', async () => {
  await issue('isolate', { IsolationType: 'Selective' })
  await settle(device)
  expect((await machine()).countermand.isolation).toMatchObject({ state: 'Isolated', type: 'Selective' })
  assert.ok(await isListed(`countermand/isolation/type eq 'selective'`))
})

describe('what a host stands as in one way', () => {
  test('is nothing to how it stands in another', async () => {
    const isolation = await issue('isolate')
    await settle(device)
    const before = postureIn(await device.sync())
    const restriction = await issue('restrictCodeExecution')
    const document = postureIn(await device.sync(), 'restriction')
    expect(document).toEqual({ generation: 1, action: restriction, type: 'Full', withdrawn: [] })
    fail(device, document, 'the daemon does not start')
    expect(postureIn(await device.sync())).toEqual(before)
    expect(await stateOf(restriction)).toMatchObject({ status: 'Failed' })
    expect(await stateOf(isolation)).toMatchObject({ status: 'Succeeded' })
    const { countermand } = await machine()
    expect(countermand.isolation).toMatchObject({ state: 'Isolated', confirmed: true })
    expect(countermand.restriction).toMatchObject({ state: 'NotRestricted', actionId: null })
    const release = await issue('unisolate')
    await issue('restrictCodeExecution')
    await settle(device)
    await settle(device, 'restriction')
    const after = (await machine()).countermand
    expect(after.isolation).toMatchObject({ state: 'NotIsolated', confirmed: true })
    expect(after.restriction).toMatchObject({ state: 'Restricted', confirmed: true })
    expect(await stateOf(release)).toMatchObject({ status: 'Succeeded' })
  })

  test('is told to an agent that knows of no other', async () => {
    device.postures = { isolation: reportOf(device) }
    const id = await issue('isolate')
    const { postures } = await device.sync()
    assert.deepEqual(Object.keys(postures), ['isolation'])
    await settle(device)
    expect(await stateOf(id)).toMatchObject({ status: 'Succeeded' })
  })
})
