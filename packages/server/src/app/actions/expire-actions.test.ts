/** Every open state has an end (`cancel.md` 2, 4 and 9). */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { MachineAction } from '@countermand/contract'
import { broughtTo, cancel, kindsOf, queued } from '../../testing/given.ts'
import { day, hour, minute, openServer, type TestServer } from '../../testing/server.ts'
import { expireActions } from './expire-actions.ts'

let server: TestServer
beforeAll(async () => {
  server = await openServer()
  await server.upload('run.sh')
})
afterAll(() => server.close())

/** What the server's timer does once a second, done now. */
async function readAfter(ms: number, id: string): Promise<MachineAction> {
  server.clock.pass(ms)
  await expireActions(server.app)
  return server.read(id)
}

describe.each(['queued', 'offered', 'accepted'] as const)('an action that is %s', (place) => {
  const begin = place === 'queued' ? queued : broughtTo(place)
  const effect = place === 'queued' ? 'none' : 'unknown'

  test('is TimeOut three days after it was issued, and not a moment sooner', async () => {
    const { id } = await begin(server)
    assert.equal((await readAfter(3 * day - 1, id)).status, 'Pending')
    const { status, countermand, cancellationRequestor } = await readAfter(1, id)
    assert.equal(status, 'TimeOut')
    assert.deepEqual(
      [countermand.reason, countermand.effect.state, countermand.proof, cancellationRequestor],
      ['not_after_passed', effect, null, null],
    )
    assert.equal(kindsOf(server, id).at(-1), 'timed_out')
  })
})

describe.each([
  ['running', 10 * minute + day],
  ['settling', day],
] as const)('an action that is %s', (place, limit) => {
  test('is TimeOut when its device has had its time and the server its day', async () => {
    const { id } = await broughtTo(place)(server)
    assert.equal((await readAfter(limit - 1, id)).status, 'InProgress')
    const { status, countermand } = await readAfter(1, id)
    assert.deepEqual(
      [status, countermand.reason, countermand.effect.state],
      ['TimeOut', 'run_limit', 'unknown'],
    )
  })
})

describe.each(['offered', 'accepted', 'running', 'settling'] as const)(
  'a cancel of an action that is %s',
  (place) => {
    test('is unconfirmed three days after it was asked, whatever was left: TimeOut, without a date, an alarm', async () => {
      const { id } = await broughtTo(place)(server)
      server.clock.pass(20 * hour)
      await cancel(server, id)
      const before = await readAfter(3 * day - 1, id)
      assert.ok(['Pending', 'InProgress'].includes(before.status))
      const { status, cancellationRequestor, cancellationDateTimeUtc, countermand } = await readAfter(1, id)
      assert.deepEqual([status, cancellationRequestor, cancellationDateTimeUtc], ['TimeOut', 'ann', null])
      assert.deepEqual(
        [countermand.cancel?.state, countermand.effect.state, countermand.proof],
        ['unconfirmed', 'unknown', null],
      )
      const last = server.history.ofAction(id).at(-1)
      assert.deepEqual([last?.kind, last?.alarm], ['action.cancel_unconfirmed', true])
    })
  },
)

describe('a device that comes back after the time was up', () => {
  test('is told of the cancel all the same', async () => {
    const { id, device } = await broughtTo('running')(server)
    await cancel(server, id)
    await readAfter(3 * day, id)
    assert.deepEqual((await device.sync()).cancels, [id])
    device.stop(id)
    await device.sync()
    assert.deepEqual((await device.sync()).cancels, [])
    const { status, countermand } = await server.read(id)
    assert.deepEqual(
      [status, countermand.lateOutcome, countermand.effect.state],
      ['TimeOut', 'stopped', 'none'],
    )
  })

  test('and has done it changes no status: the outcome is kept as late', async () => {
    const { id, device } = await broughtTo('running')(server)
    await cancel(server, id)
    await readAfter(3 * day, id)
    device.finish(id)
    await device.sync()
    const { status, cancellationDateTimeUtc, countermand } = await server.read(id)
    assert.deepEqual([status, cancellationDateTimeUtc], ['TimeOut', null])
    assert.deepEqual([countermand.lateOutcome, countermand.effect.state], ['succeeded', 'applied'])
    const last = server.history.ofAction(id).at(-1)
    assert.deepEqual([last?.kind, last?.alarm], ['action.late_result', true])
  })

  test('may not start what it still holds', async () => {
    const { id, device } = await broughtTo('accepted')(server)
    await readAfter(3 * day, id)
    const { starts, finals } = await device.sync()
    assert.deepEqual([starts, finals], [[], [id]])
  })

  test('is offered nothing that has expired', async () => {
    const { id, device } = await queued(server)
    await readAfter(3 * day, id)
    const { offers } = await device.sync()
    assert.deepEqual(offers, [])
  })
})

test('a cancel that was proven is told to nobody any more and never becomes a TimeOut', async () => {
  const { id, device } = await queued(server)
  await cancel(server, id)
  assert.equal((await readAfter(10 * day, id)).status, 'Cancelled')
  assert.deepEqual((await device.sync()).cancels, [])
})

test('the server’s own timer does it', async () => {
  const { id } = await queued(server)
  server.clock.pass(3 * day)
  for (let tries = 0; tries < 100 && (await server.read(id)).status === 'Pending'; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  assert.equal((await server.read(id)).status, 'TimeOut')
})
