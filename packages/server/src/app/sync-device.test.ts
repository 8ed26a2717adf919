/** Delivery: every race that a script can get into (`cancel.md` 7), over HTTP, with a device that does as told. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { commandsOf, type MachineAction, type Reply } from '@countermand/contract'
import { broughtTo, cancel, kindsOf, queued } from '../testing/given.ts'
import { day, openServer, unlimited, type TestServer } from '../testing/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await openServer()
  await server.upload('run.sh')
})
afterAll(() => server.close())

/** How an action ended, in the words of the design; of its cancel: state, requestor, and whether it has a date. */
async function end(id: string): Promise<Record<string, unknown>> {
  const { status, cancellationRequestor, cancellationDateTimeUtc, countermand } = await server.read(id)
  const { proof, reason, effect, cancel: asked } = countermand
  const cancelled = [asked?.state ?? null, cancellationRequestor, cancellationDateTimeUtc !== null]
  return { status, proof, reason, effect: effect.state, cancelled }
}
const cancelledBy = (proof: string): Record<string, unknown> => ({
  status: 'Cancelled',
  proof,
  reason: 'user',
  effect: 'none',
  cancelled: ['confirmed', 'ann', true],
})
const seen = ({ status, cancellationRequestor, cancellationDateTimeUtc }: MachineAction): unknown[] => [
  status,
  cancellationRequestor,
  cancellationDateTimeUtc,
]
const ordersOf = ({ cancels, starts, offers, finals }: Reply): Record<string, readonly string[]> => ({
  cancels,
  starts,
  offers: offers.map(({ id }) => id),
  finals,
})
const nothing = { cancels: [], starts: [], offers: [], finals: [] }

describe('without a cancel', () => {
  test('an action is offered once, may start while it is held, runs, ends and is forgotten', async () => {
    const { id, device } = await queued(server)
    assert.deepEqual(ordersOf(await device.sync()), { ...nothing, offers: [id] })
    assert.deepEqual(ordersOf(await device.sync()), { ...nothing, starts: [id] })
    assert.deepEqual(ordersOf(await device.sync()), { ...nothing, starts: [id] })
    device.start(id)
    assert.deepEqual(ordersOf(await device.sync()), { ...nothing, starts: [id] })
    device.finish(id)
    assert.deepEqual(ordersOf(await device.sync()), { ...nothing, finals: [id] })
    assert.deepEqual(ordersOf(await device.sync()), nothing)
    assert.deepEqual(kindsOf(server, id), ['requested', 'offered', 'accepted', 'started', 'succeeded'])
    assert.deepEqual(await end(id), {
      status: 'Succeeded',
      proof: null,
      reason: 'done',
      effect: 'applied',
      cancelled: [null, null, false],
    })
  })

  test('an offer carries what was pinned when it was issued, whatever the library holds by then', async () => {
    const { id, device } = await queued(server)
    const token = await server.token('Library.Manage')
    await server.ask({ method: 'DELETE', path: '/api/libraryfiles/run.sh', token })
    await server.upload('run.sh', 'something else')
    const [offer] = (await device.sync()).offers
    assert.equal(offer?.id, id)
    assert.equal(offer.runLimitMs, 10 * 60_000, 'ten minutes')
    const [command] = commandsOf(offer.parameters)
    assert.ok(command?.type === 'RunScript')
    const { scriptName, size, args, asked, limitMs } = command
    assert.deepEqual([scriptName, size, args, asked, limitMs], ['run.sh', 18, [], null, 10 * 60_000])
    await server.ask({ method: 'DELETE', path: '/api/libraryfiles/run.sh', token })
    await server.upload('run.sh')
  })

  test('an offer whose reply was lost is in the reply to the same statement, and is the same offer', async () => {
    const { id, device } = await queued(server)
    const said = await device.syncInVain()
    const reply = await device.exchange(said)
    assert.deepEqual(ordersOf(reply), { ...nothing, offers: [id] })
    assert.equal((await server.read(id)).countermand.attempt, 1)
    assert.deepEqual(kindsOf(server, id), ['requested', 'offered'])
  })

  test('an offer that the device does not list afterwards is made again', async () => {
    const { id, device } = await queued(server)
    await device.syncInVain()
    assert.deepEqual(ordersOf(await device.sync()), { ...nothing, offers: [id] })
    assert.equal((await server.read(id)).countermand.attempt, 2)
    assert.deepEqual(kindsOf(server, id), ['requested', 'offered', 'offered'])
  })

  test('an end implies the start that was never heard of', async () => {
    const { id, device } = await queued(server)
    await device.sync()
    device.finish(id, 'failed')
    await device.sync()
    assert.equal((await server.read(id)).status, 'Failed')
  })

  test.each(['accepted', 'running', 'settling'] as const)(
    'an action that was %s and is listed no more was lost with its journal: failed, effect unknown, an alarm',
    async (place) => {
      const { id, device } = await broughtTo(place)(server)
      device.forget(id)
      await device.sync()
      const { status, proof, reason, effect } = await end(id)
      assert.deepEqual([status, proof, reason, effect], ['Failed', null, 'journal_lost', 'unknown'])
      assert.ok(server.history.ofAction(id).at(-1)?.alarm)
    },
  )
})

describe('a device that asks before each step', () => {
  test.each(['accepted', 'running', 'settling'] as const)(
    'may go on with what is %s, until a cancel is asked, and then with nothing',
    async (place) => {
      const { id, device } = await broughtTo(place)(server)
      assert.deepEqual(ordersOf(await device.sync()), { ...nothing, starts: [id] })
      await cancel(server, id)
      assert.deepEqual(ordersOf(await device.sync()), { ...nothing, cancels: [id] })
    },
  )

  test('may not go on with what was offered and is not held', async () => {
    const { id, device } = await queued(server)
    await device.syncInVain()
    assert.deepEqual(ordersOf(await device.sync()), { ...nothing, offers: [id] })
  })
})

describe('a cancel of what the device does not have', () => {
  test('that was never offered needs no device, and no offer is ever made', async () => {
    const { id, device } = await queued(server)
    assert.deepEqual(seen(await cancel(server, id)).slice(0, 2), ['Cancelled', 'ann'])
    assert.deepEqual(ordersOf(await device.sync()), nothing)
    assert.deepEqual(await end(id), cancelledBy('never_offered'))
    assert.deepEqual(kindsOf(server, id), ['requested', 'cancel_requested', 'cancelled'])
  })

  test('whose offer was lost on its way is not_received: the next list does not have it', async () => {
    const { id, device } = await queued(server)
    await device.syncInVain()
    assert.deepEqual(seen(await cancel(server, id)), ['Pending', 'ann', null])
    assert.deepEqual(ordersOf(await device.sync()), nothing)
    assert.deepEqual(await end(id), cancelledBy('not_received'))
  })

  test('is in the reply to the statement that is said again, and the offer is not', async () => {
    const { id, device } = await queued(server)
    const said = await device.syncInVain()
    await cancel(server, id)
    assert.deepEqual(ordersOf(await device.exchange(said)), { ...nothing, cancels: [id] })
    assert.deepEqual(seen(await server.read(id)), ['Pending', 'ann', null], 'an old list proves nothing')
    await device.sync()
    assert.deepEqual(await end(id), cancelledBy('not_received'))
    assert.deepEqual(kindsOf(server, id), ['requested', 'offered', 'cancel_requested', 'cancelled'])
  })
})

describe('a cancel of what is held and has not started', () => {
  test('takes the permission back and is proven when the device refuses the start', async () => {
    const { id, device } = await broughtTo('accepted')(server)
    assert.deepEqual(seen(await cancel(server, id)), ['Pending', 'ann', null])
    assert.deepEqual(ordersOf(await device.sync()), { ...nothing, cancels: [id] })
    assert.equal((await server.read(id)).countermand.cancel?.state, 'sent')
    device.refuseStart(id)
    assert.deepEqual(ordersOf(await device.sync()), { ...nothing, finals: [id] })
    assert.deepEqual(await end(id), cancelledBy('refused_start'))
  })

  test('waits for a device that has gone silent, which may not start before it asks', async () => {
    const { id, device } = await broughtTo('accepted')(server)
    await cancel(server, id)
    server.clock.pass(2 * day)
    assert.deepEqual(seen(await server.read(id)), ['Pending', 'ann', null])
    const { starts, cancels } = await device.sync()
    assert.deepEqual([starts, cancels], [[], [id]])
    device.refuseStart(id)
    await device.sync()
    assert.deepEqual(await end(id), cancelledBy('refused_start'))
  })

  test('that started before the cancel came is running, and the cancel stays outstanding', async () => {
    const { id, device } = await broughtTo('accepted')(server)
    await cancel(server, id)
    device.start(id)
    assert.deepEqual(ordersOf(await device.sync()), { ...nothing, cancels: [id] })
    assert.deepEqual(seen(await server.read(id)), ['InProgress', 'ann', null])
    device.stop(id)
    await device.sync()
    assert.deepEqual(await end(id), cancelledBy('stopped'))
  })

  test('and is listed no more is journal_lost, never not_received', async () => {
    const { id, device } = await broughtTo('accepted')(server)
    await cancel(server, id)
    device.forget(id)
    await device.sync()
    assert.deepEqual(await end(id), {
      status: 'Failed',
      proof: null,
      reason: 'journal_lost',
      effect: 'unknown',
      cancelled: ['unconfirmed', 'ann', false],
    })
  })
})

describe('a cancel of what runs', () => {
  test('is sent, acknowledged, and proven when nothing of it is left', async () => {
    const { id, device } = await broughtTo('running')(server)
    assert.deepEqual(seen(await cancel(server, id)), ['InProgress', 'ann', null])
    const { cancels } = await device.sync()
    assert.deepEqual(cancels, [id])
    assert.equal((await server.read(id)).countermand.cancel?.state, 'sent')
    device.tell({ kind: 'cancel_acknowledged', action: id })
    await device.sync()
    assert.equal((await server.read(id)).countermand.cancel?.state, 'acknowledged')
    device.stop(id)
    assert.deepEqual(ordersOf(await device.sync()), { ...nothing, finals: [id] })
    assert.deepEqual(await end(id), cancelledBy('stopped'))
    assert.deepEqual(kindsOf(server, id).slice(4), [
      'cancel_requested',
      'cancel_sent',
      'cancel_acknowledged',
      'cancelled',
    ])
  })

  test('on a host without cgroups is proven by a sweep, and shown as that', async () => {
    const { id, device } = await broughtTo('running')(server)
    await cancel(server, id)
    device.stop(id, 'swept')
    await device.sync()
    assert.deepEqual(await end(id), cancelledBy('swept'))
  })

  test('lists what was found outside its scope and had to be ended', async () => {
    const { id, device } = await broughtTo('running')(server)
    await cancel(server, id)
    device.stop(id, 'stopped', ['4711 sleep 1000'])
    await device.sync()
    assert.deepEqual(await end(id), { ...cancelledBy('stopped'), effect: 'partial' })
    assert.deepEqual((await server.read(id)).countermand.effect.residues, ['4711 sleep 1000'])
  })

  test('that cannot be killed stays outstanding and says why; never stopped', async () => {
    const { id, device } = await broughtTo('running')(server)
    await cancel(server, id)
    device.tell({ kind: 'cancel_acknowledged', action: id })
    device.tell({ kind: 'unkillable', action: id, detail: '4711 in uninterruptible sleep' })
    await device.sync()
    assert.deepEqual(seen(await server.read(id)), ['InProgress', 'ann', null])
    assert.match((await server.read(id)).countermand.cancel?.detail ?? '', /4711/)
  })

  test.each([
    ['succeeded', 'Succeeded', 'done'],
    ['failed', 'Failed', 'error'],
    ['timed_out', 'TimeOut', 'run_limit'],
  ] as const)(
    'that had %s before it could be stopped is too late, and says so',
    async (how, status, reason) => {
      const { id, device } = await broughtTo('running')(server)
      device.finish(id, how)
      assert.deepEqual(seen(await cancel(server, id)), ['InProgress', 'ann', null])
      await device.sync()
      assert.deepEqual(await end(id), {
        status,
        proof: null,
        reason,
        effect: 'applied',
        cancelled: ['too_late', 'ann', false],
      })
      assert.deepEqual(kindsOf(server, id).slice(-2), [how, 'cancel_too_late'])
    },
  )

  test('that the device cannot stop at this step goes on, and ends as refused', async () => {
    const { id, device } = await broughtTo('running')(server)
    await cancel(server, id)
    device.tell({ kind: 'cannot_stop', action: id, detail: 'the firmware is being written' })
    const { cancels } = await device.sync()
    assert.deepEqual(cancels, [id], 'it stays outstanding')
    assert.deepEqual(seen(await server.read(id)), ['InProgress', 'ann', null])
    device.finish(id)
    await device.sync()
    const { status, cancelled } = await end(id)
    assert.deepEqual([status, cancelled], ['Succeeded', ['refused', 'ann', false]])
  })

  test('by two callers has one outcome, and the first is the requestor', async () => {
    const { id, device } = await broughtTo('running')(server)
    await cancel(server, id)
    await cancel(server, id, { by: 'bob', comment: 'me too' })
    device.stop(id)
    await device.sync()
    assert.deepEqual(await end(id), cancelledBy('stopped'))
    assert.equal(kindsOf(server, id).filter((kind) => kind === 'cancelled').length, 1)
  })

  test('does not keep the device from a new action; both end by evidence', async () => {
    const { id, device } = await broughtTo('running')(server)
    await cancel(server, id)
    const next = await server.issue(device.machineId)
    assert.deepEqual(ordersOf(await device.sync()), { ...nothing, cancels: [id], offers: [next.id] })
    device.stop(id)
    device.start(next.id)
    device.finish(next.id)
    await device.sync()
    assert.deepEqual(await end(id), cancelledBy('stopped'))
    assert.equal((await server.read(next.id)).status, 'Succeeded')
  })
})

const timed = async <T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> => {
  const from = performance.now()
  return { value: await work(), ms: performance.now() - from }
}

describe('a cancel waits for the proof', () => {
  let patient: TestServer
  beforeAll(async () => {
    patient = await openServer({ flags: unlimited })
    await patient.upload('run.sh')
    await patient.tokenAs('ann', 'Machine.Isolate')
  })
  afterAll(() => patient.close())

  test('for a second and a half, and then says how it stands', async () => {
    const { id } = await broughtTo('running')(patient)
    const { value, ms } = await timed(() => cancel(patient, id))
    assert.deepEqual(seen(value), ['InProgress', 'ann', null])
    assert.ok(ms >= 1_450 && ms < 6_000, `${ms} ms`)
  })

  test('and answers Cancelled as soon as the device has proven it', async () => {
    const { id, device } = await broughtTo('running')(patient)
    const asked = timed(() => cancel(patient, id))
    // The device is woken by the request; here it looks again and again.
    while (!(await device.sync()).cancels.includes(id));
    device.stop(id)
    await device.sync()
    const { value, ms } = await asked
    assert.equal(value.status, 'Cancelled')
    assert.equal(value.countermand.proof, 'stopped')
    assert.ok(ms < 1_500, `${ms} ms`)
  })

  test('and for nothing where there is nothing to wait for', async () => {
    const { id } = await queued(patient)
    const { value, ms } = await timed(() => cancel(patient, id))
    assert.equal(value.status, 'Cancelled')
    assert.ok(ms < 1_000, `${ms} ms`)
  })
})

test('a cancel that was accepted is there after the server has died', async () => {
  const { id, device } = await broughtTo('running')(server)
  await cancel(server, id)
  server = await server.restart()
  device.server = server
  assert.deepEqual((await device.sync()).cancels, [id])
  device.stop(id)
  await device.sync()
  assert.deepEqual(await end(id), cancelledBy('stopped'))
  assert.deepEqual(server.history.faultsOf(device.machineId), [])
})
