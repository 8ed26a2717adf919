/** What is ours in a request: scheduled, skipped, limited, forced, graced, versioned and repeated, each with its events. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { MachineAction } from '@countermand/contract'
import { expireActions } from '../app/actions/expire-actions.ts'
import { enrol, type TestDevice } from '../testing/device.ts'
import { kindsOf } from '../testing/given.ts'
import { checkDialect, checkError } from '../testing/scenarios.ts'
import {
  day,
  expectStatus,
  minute,
  openServer,
  runScript,
  type Answer,
  type TestServer,
} from '../testing/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await openServer()
  await server.upload('run.sh')
})
afterAll(() => server.close())

interface Asking {
  readonly as?: readonly string[]
  readonly by?: string
  readonly key?: string
}

async function post(
  path: string,
  body: object,
  { as = ['Machine.LiveResponse'], by = 'ann', key }: Asking = {},
): Promise<Answer<MachineAction>> {
  const headers = key === undefined ? {} : { 'idempotency-key': key }
  return server.ask<MachineAction>({
    method: 'POST',
    path,
    body,
    headers,
    token: await server.tokenAs(by, ...as),
  })
}
const run = (
  { machineId }: TestDevice,
  countermand: object = {},
  asking: Asking = {},
): Promise<Answer<MachineAction>> =>
  post(
    `/api/machines/${machineId}/runliveresponse`,
    { Comment: 'case 17', Commands: [runScript('run.sh')], countermand },
    asking,
  )
const cancel = (id: string, countermand: object = {}, asking: Asking = {}): Promise<Answer<MachineAction>> =>
  post(`/api/machineactions/${id}/cancel`, { Comment: 'wrong host', countermand }, asking)
const refused = (answer: Answer, status: number, code: string, says: RegExp): void => {
  assert.equal(answer.status, status, answer.text)
  checkDialect(answer)
  checkError(answer, code, [says])
}
const at = (ms: number): string => new Date(server.clock.now.getTime() + ms).toISOString()
const expire = (): Promise<void> => expireActions(server.app)
const phaseOf = async (id: string): Promise<readonly [string, string, string | null]> => {
  const { status, countermand } = await server.read(id)
  return [status, countermand.phase, countermand.reason]
}

const scheduled = async (inputs: object = {}): Promise<{ device: TestDevice; id: string }> => {
  const device = await enrol(server)
  const { id, status, countermand } = expectStatus(
    201,
    await run(device, { notBefore: at(60 * minute), ...inputs }),
  )
  assert.deepEqual([status, countermand.phase], ['Pending', 'scheduled'])
  return { device, id }
}

const running = async (): Promise<{ device: TestDevice; id: string }> => {
  const device = await enrol(server)
  const { id } = expectStatus(201, await run(device))
  await device.bring(id, 'running')
  return { device, id }
}

describe('what is not understood is refused, and changes nothing', () => {
  test.each<[object, string, RegExp]>([
    [
      { notbefore: '2026-02-03T05:00:00Z' },
      'InvalidRequestBody',
      /"countermand\.notbefore".*"countermand\.notBefore"/,
    ],
    [{ notBefor: '2026-02-03T05:00:00Z' }, 'InvalidRequestBody', /countermand/],
    [{ notBefore: 'tomorrow' }, 'InvalidInput', /'tomorrow' is not a time/],
    [{ notBefore: 17 }, 'InvalidRequestBody', /notBefore/],
    [{ notAfter: '2020-01-01T00:00:00Z' }, 'InvalidInput', /notAfter has passed/],
    [{ notAfter: '2036-01-01T00:00:00Z' }, 'InvalidInput', /more than 90 days/],
    [{ whenOffline: 'wait' }, 'InvalidRequestBody', /whenOffline/],
    [{ runLimitSeconds: 0 }, 'InvalidRequestBody', /runLimitSeconds/],
    [{ runLimitSeconds: 1.5 }, 'InvalidRequestBody', /runLimitSeconds/],
    [{ force: true }, 'InvalidRequestBody', /countermand/],
  ])('of a new action: %j', async (inputs, code, says) => {
    const device = await enrol(server)
    const before = server.history.last()
    refused(await run(device, inputs), 400, code, says)
    assert.deepEqual(server.history.events(before), [])
  })

  test('a notAfter that is not after notBefore', async () => {
    const device = await enrol(server)
    refused(
      await run(device, { notBefore: at(2 * minute), notAfter: at(minute) }),
      400,
      'InvalidInput',
      /must be later/,
    )
  })

  test.each<[object, number, string, RegExp]>([
    [{ force: true }, 400, 'MissingRequiredParameter', /countermand\.attest/],
    [{ force: true, attest: ' ' }, 400, 'MissingRequiredParameter', /countermand\.attest/],
    [{ attest: 'I saw it' }, 400, 'InvalidInput', /countermand\.force/],
    [{ graceSeconds: -1 }, 400, 'InvalidRequestBody', /graceSeconds/],
    [{ graceSeconds: 601 }, 400, 'InvalidRequestBody', /graceSeconds/],
    [{ waitSeconds: 61 }, 400, 'InvalidRequestBody', /waitSeconds/],
    [{ expectedVersion: '1' }, 400, 'InvalidRequestBody', /expectedVersion/],
    [{ notBefore: '2026-02-03T05:00:00Z' }, 400, 'InvalidRequestBody', /countermand/],
    [{ force: true, attest: 'I saw it' }, 403, 'Forbidden', /Countermand\.Force/],
  ])('of a cancel: %j', async (inputs, status, code, says) => {
    const { id } = expectStatus(201, await run(await enrol(server)))
    refused(await cancel(id, inputs), status, code, says)
    assert.deepEqual(kindsOf(server, id), ['requested'])
  })
})

describe('an action that is scheduled', () => {
  test('is not offered before its time, and is then', async () => {
    const { device, id } = await scheduled()
    server.clock.pass(60 * minute - 1)
    await expire()
    assert.deepEqual((await device.sync()).offers, [])
    server.clock.pass(1)
    await expire()
    assert.deepEqual(await phaseOf(id), ['Pending', 'queued', null])
    assert.deepEqual(
      (await device.sync()).offers.map((offer) => offer.id),
      [id],
    )
    assert.deepEqual(kindsOf(server, id), ['requested', 'released', 'offered'])
  })

  test('and cancelled before its time has never been offered', async () => {
    const { device, id } = await scheduled()
    const { status, countermand } = expectStatus(200, await cancel(id))
    assert.deepEqual([status, countermand.proof], ['Cancelled', 'never_offered'])
    server.clock.pass(2 * day)
    await expire()
    assert.deepEqual((await device.sync()).offers, [])
    assert.deepEqual(kindsOf(server, id), ['requested', 'cancel_requested', 'cancelled'])
  })

  test('is in nobody’s way until then', async () => {
    const { device } = await scheduled()
    expectStatus(201, await run(device))
    refused(await run(device), 400, 'ActiveRequestAlreadyExists', /already in progress/)
  })

  test('has three days from its time, or until notAfter', async () => {
    const { id } = await scheduled()
    const { id: short } = await scheduled({ notAfter: at(61 * minute) })
    server.clock.pass(60 * minute)
    await expire()
    server.clock.pass(minute)
    await expire()
    assert.deepEqual(await phaseOf(short), ['TimeOut', 'timed_out', 'not_after_passed'])
    assert.deepEqual(kindsOf(server, short), ['requested', 'released', 'timed_out'])
    server.clock.pass(3 * day - minute - 1)
    await expire()
    assert.deepEqual(await phaseOf(id), ['Pending', 'queued', null])
    server.clock.pass(1)
    await expire()
    assert.deepEqual(await phaseOf(id), ['TimeOut', 'timed_out', 'not_after_passed'])
  })

  test('shows its times', async () => {
    const { id } = await scheduled({ runLimitSeconds: 7 })
    const { notBefore, notAfter, whenOffline, runLimitSeconds } = (await server.read(id)).countermand
    assert.equal(new Date(notBefore ?? '').toISOString(), at(60 * minute))
    assert.deepEqual([notAfter, whenOffline, runLimitSeconds], [null, 'queue', 7])
  })

  test('survives a restart of the server, and a restore never lies about it', async () => {
    const mine = await openServer({ flags: ['--settle-ms', '0'] })
    await mine.upload('run.sh')
    const other = server
    server = mine
    try {
      const { id } = await scheduled()
      const { id: later } = await scheduled({ notBefore: at(2 * day) })
      mine.clock.pass(day)
      // An offer may have left between the backup and now; of the one whose time has not come none can have.
      server = await mine.restart({ flags: ['--restored'] })
      assert.equal((await phaseOf(id))[1], 'offered')
      assert.equal((await phaseOf(later))[1], 'scheduled')
      assert.deepEqual(kindsOf(server, id), ['requested', 'released', 'offered'])
    } finally {
      await server.close()
      server = other
    }
  })
})

describe('an action that is to be skipped where its device is offline', () => {
  test('ends after a minute without it, as TimeOut, and is never started', async () => {
    const device = await enrol(server)
    const { id } = expectStatus(201, await run(device, { whenOffline: 'skip' }))
    server.clock.pass(minute - 1)
    await expire()
    assert.deepEqual(await phaseOf(id), ['Pending', 'queued', null])
    server.clock.pass(1)
    await expire()
    assert.deepEqual(await phaseOf(id), ['TimeOut', 'timed_out', 'offline'])
    assert.deepEqual((await device.sync()).offers, [])
    assert.deepEqual(kindsOf(server, id), ['requested', 'timed_out'])
  })

  test('has the ordinary time once it has been taken up', async () => {
    const device = await enrol(server)
    const { id } = expectStatus(201, await run(device, { whenOffline: 'skip' }))
    await device.bring(id, 'accepted')
    server.clock.pass(day)
    await expire()
    assert.deepEqual(await phaseOf(id), ['Pending', 'accepted', null])
  })
})

test('a run limit is the action’s own, for each command', async () => {
  const device = await enrol(server)
  const { id } = expectStatus(201, await run(device, { runLimitSeconds: 90 }))
  const [offer] = (await device.sync()).offers
  assert.deepEqual([offer?.id, offer?.runLimitMs], [id, 90_000])
  assert.match(JSON.stringify(offer?.parameters), /"limitMs":90000/)
})

describe('a cancel with its own words', () => {
  const force = { as: ['Machine.LiveResponse', 'Countermand.Force'] }

  test('gives its processes time: the device is told how long, and of others nothing', async () => {
    const { device, id } = await running()
    const { countermand } = expectStatus(200, await cancel(id, { graceSeconds: 30 }))
    assert.equal(countermand.cancel?.graceSeconds, 30)
    const { cancels, graces } = await device.sync()
    assert.deepEqual([cancels, graces], [[id], { [id]: 30_000 }])
    const { device: other, id: plain } = await running()
    expectStatus(200, await cancel(plain))
    assert.equal((await other.sync()).graces, undefined)
    assert.deepEqual(kindsOf(server, id).slice(-2), ['cancel_requested', 'cancel_sent'])
  })

  test('of another version is refused with the action as it is, and is kept', async () => {
    const { id } = await running()
    const { version } = (await server.read(id)).countermand
    const answer = await cancel(id, { expectedVersion: version - 1 })
    const { error, countermand } = answer.body as unknown as {
      readonly error: { readonly code: string; readonly message: string }
      readonly countermand: { readonly current: MachineAction }
    }
    assert.deepEqual([answer.status, error.code], [409, 'Conflict'])
    assert.match(error.message, new RegExp(`version ${version}, and ${version - 1} was expected`))
    assert.deepEqual([countermand.current.id, countermand.current.status], [id, 'InProgress'])
    assert.equal((await server.read(id)).cancellationRequestor, null)
    assert.equal(kindsOf(server, id).at(-1), 'cancel_denied')
    expectStatus(200, await cancel(id, { expectedVersion: version }))
  })

  test('is forced only once the device has been silent for two minutes; then with the attestation for a proof', async () => {
    const { device, id } = await running()
    const inputs = { force: true, attest: 'the host was switched off before my eyes' }
    refused(await cancel(id, inputs, force), 403, 'DisallowedOperation', /spoke 0 seconds ago/)
    assert.equal((await server.read(id)).cancellationRequestor, null)
    server.clock.pass(2 * minute)
    const { status, cancellationDateTimeUtc, countermand } = expectStatus(
      200,
      await cancel(id, inputs, force),
    )
    assert.equal(status, 'Cancelled')
    assert.notEqual(cancellationDateTimeUtc, null)
    assert.deepEqual(
      [countermand.proof, countermand.cancel?.state, countermand.effect.state],
      ['attested', 'forced', 'unknown'],
    )
    assert.match(countermand.cancel?.detail ?? '', /^ann: the host was switched off/)
    assert.deepEqual(kindsOf(server, id).slice(-4), [
      'cancel_denied',
      'cancel_requested',
      'cancel_forced',
      'cancelled',
    ])
    // The cancel goes to the device all the same.
    assert.deepEqual((await device.sync()).cancels, [id])
  })

  test('is not forced once the action is over, however lately the device has spoken', async () => {
    const { device, id } = await running()
    device.finish(id)
    await device.sync()
    refused(await cancel(id, { force: true, attest: 'so' }, force), 400, 'BadRequest', /already Succeeded/)
  })

  test('and forced needs nobody’s word where nothing ever left the server', async () => {
    const { id } = expectStatus(201, await run(await enrol(server)))
    const { countermand } = expectStatus(200, await cancel(id, { force: true, attest: 'as I said' }, force))
    assert.equal(countermand.proof, 'never_offered')
  })

  test('shows every request, refused ones too, where the action is read', async () => {
    const { id } = await running()
    const { version } = (await server.read(id)).countermand
    await cancel(id, { expectedVersion: version + 1 })
    expectStatus(200, await cancel(id))
    expectStatus(200, await cancel(id, {}, { by: 'bob' }))
    const { requests = [] } = (await server.read(id)).countermand.cancel ?? {}
    assert.deepEqual(
      requests.map(({ requestor, comment, why }) => [requestor, comment, why === null]),
      [
        ['ann', 'wrong host', false],
        ['ann', 'wrong host', true],
        ['bob', 'wrong host', true],
      ],
    )
  })

  test('waits as long as it says for the proof', async () => {
    const { device, id } = await running()
    const answered = cancel(id, { waitSeconds: 30 })
    await device.sync()
    while (!(await device.sync()).cancels.includes(id));
    device.stop(id)
    await device.sync()
    assert.equal(expectStatus(200, await answered).status, 'Cancelled')
  })
})

describe('an Idempotency-Key', () => {
  test('makes of two requests one action', async () => {
    const device = await enrol(server)
    const first = expectStatus(201, await run(device, {}, { key: 'k1' }))
    const again = expectStatus(201, await run(device, {}, { key: 'k1' }))
    assert.equal(again.id, first.id)
    expectStatus(200, await cancel(first.id))
    assert.equal(expectStatus(201, await run(device, {}, { key: 'k1' })).status, 'Cancelled')
    assert.deepEqual(kindsOf(server, first.id), ['requested', 'cancel_requested', 'cancelled'])
  })

  test('of another request is refused; another caller’s is another key', async () => {
    const device = await enrol(server)
    const { id } = expectStatus(201, await run(device, {}, { key: 'k2' }))
    refused(await run(device, { runLimitSeconds: 5 }, { key: 'k2' }), 400, 'InvalidInput', /Idempotency-Key/)
    refused(await run(device, {}, { key: 'k2', by: 'bob' }), 400, 'ActiveRequestAlreadyExists', /in progress/)
    refused(await run(device, {}, { key: 'k'.repeat(256) }), 400, 'InvalidInput', /255/)
    refused(await cancel(id, {}, { key: 'k2' }), 400, 'InvalidInput', /Idempotency-Key/)
  })

  test('of a request that was refused is free', async () => {
    const device = await enrol(server)
    expectStatus(201, await run(device))
    refused(await run(device, {}, { key: 'k3' }), 400, 'ActiveRequestAlreadyExists', /in progress/)
    const other = await enrol(server)
    expectStatus(201, await run(other, {}, { key: 'k3' }))
  })

  test('of a cancel answers with the action, also when that has ended otherwise meanwhile', async () => {
    const device = await enrol(server)
    const { id } = expectStatus(201, await run(device))
    await device.bring(id, 'running')
    expectStatus(200, await cancel(id, {}, { key: 'k4' }))
    device.finish(id)
    await device.sync()
    assert.equal(expectStatus(200, await cancel(id, {}, { key: 'k4' })).status, 'Succeeded')
    refused(await cancel(id, { graceSeconds: 9 }, { key: 'k4' }), 400, 'InvalidInput', /Idempotency-Key/)
    refused(await cancel(id, {}, { key: 'k5' }), 400, 'BadRequest', /already Succeeded/)
  })

  test('is forgotten after a day', async () => {
    const device = await enrol(server)
    const { id } = expectStatus(201, await run(device, {}, { key: 'k6' }))
    expectStatus(200, await cancel(id))
    server.clock.pass(day + 1)
    await server.app.store.write('forgetKeys', null)
    assert.notEqual(expectStatus(201, await run(device, {}, { key: 'k6' })).id, id)
  })

  test('of many at once makes one action', async () => {
    const device = await enrol(server)
    const answers = await Promise.all(Array.from({ length: 8 }, () => run(device, {}, { key: 'k7' })))
    const ids = new Set(answers.map((answer) => expectStatus(201, answer).id))
    assert.equal(ids.size, 1)
  })
})
