import assert from 'node:assert/strict'
import { afterAll, beforeAll, beforeEach, describe, test } from 'vitest'
import { limits, operations, type Limit } from '@countermand/contract'
import { enrol, type TestDevice } from '../testing/device.ts'
import { checkDialect, checkError } from '../testing/scenarios.ts'
import { impatient, minute, openServer, runScript, type Answer, type TestServer } from '../testing/server.ts'

let server: TestServer
let token: string
beforeAll(async () => {
  // The limits as they are when nobody has said anything about them.
  server = await openServer({ flags: impatient })
  await server.upload('run.sh')
})
afterAll(() => server.close())
beforeEach(async () => {
  const permissions = ['Machine.Isolate', 'Machine.Read.All', 'Machine.LiveResponse', 'Library.Manage']
  token = await server.tokenOf(await server.client(permissions))
})

const cancel = (as = token, id = 'x'): Promise<Answer> =>
  server.ask({ method: 'POST', path: `/api/machineactions/${id}/cancel`, token: as, body: {} })
const read = (): Promise<Answer> => server.ask({ method: 'GET', path: '/api/machineactions?$top=1', token })
const library = (): Promise<Answer> => server.ask({ method: 'GET', path: '/api/libraryfiles', token })

async function times(count: number, call: () => Promise<Answer>): Promise<ReadonlySet<number>> {
  const seen = new Set<number>()
  for (let done = 0; done < count; done += 1) seen.add((await call()).status)
  return seen
}

/** A refusal for too many, and the seconds that it asks to wait. */
function secondsOf(answer: Answer): number {
  assert.equal(answer.status, 429, answer.text)
  checkDialect(answer)
  checkError(answer, 'TooManyRequests')
  assert.match(answer.headers['retry-after'] ?? '', /^[1-9]\d*$/)
  return Number(answer.headers['retry-after'])
}

const unknown = new Set([404])

describe('a cancel', () => {
  test('is allowed 100 times in a minute; who then waits as told is let through, and who waits less is not', async () => {
    assert.deepEqual(await times(100, cancel), unknown)
    assert.equal(secondsOf(await cancel()), 60)
    server.clock.pass(59_999)
    assert.equal(secondsOf(await cancel()), 1)
    server.clock.pass(1)
    assert.equal((await cancel()).status, 404)
  })

  test('that was refused for too many costs nothing', async () => {
    await times(100, cancel)
    server.clock.pass(30_000)
    assert.deepEqual(await times(20, cancel), new Set([429]))
    assert.equal(secondsOf(await cancel()), 30)
    server.clock.pass(30_000)
    assert.deepEqual(await times(100, cancel), unknown)
  })

  test('counts in a window that slides: what was let through a minute ago makes room, one for one', async () => {
    assert.deepEqual(await times(60, cancel), unknown)
    server.clock.pass(40_250)
    assert.deepEqual(await times(40, cancel), unknown)
    assert.equal(secondsOf(await cancel()), 20, 'rounded up: 19.75 s')
    server.clock.pass(19_750)
    assert.deepEqual(await times(60, cancel), unknown)
    assert.equal(secondsOf(await cancel()), 41, 'rounded up: 40.25 s')
  })

  test('is allowed 1,500 times in an hour', async () => {
    const client = await server.client(['Machine.Isolate'])
    const asClient = async (): Promise<() => Promise<Answer>> => {
      const fresh = await server.tokenOf(client)
      return () => cancel(fresh)
    }
    for (let minutes = 0; minutes < 15; minutes += 1) {
      assert.deepEqual(await times(100, await asClient()), unknown)
      server.clock.pass(minute)
    }
    assert.equal(secondsOf(await (await asClient())()), 45 * 60)
    server.clock.pass(45 * minute - 1)
    assert.equal(secondsOf(await (await asClient())()), 1)
    server.clock.pass(1)
    assert.deepEqual(await times(100, await asClient()), unknown)
    assert.equal(secondsOf(await (await asClient())()), 60)
  })

  test('has a bucket of its own: neither reads nor the library nor live responses take from it', async () => {
    assert.deepEqual(await times(100, read), new Set([200]))
    secondsOf(await read())
    assert.deepEqual(await times(100, library), new Set([200]))
    secondsOf(await library())
    assert.deepEqual(await times(10, runOn('x')), unknown)
    secondsOf(await runOn('x')())
    assert.deepEqual(await times(100, cancel), unknown)
  })

  test('takes from no other bucket', async () => {
    await times(100, cancel)
    secondsOf(await cancel())
    assert.deepEqual(await times(100, read), new Set([200]))
    assert.deepEqual(await times(10, runOn('x')), unknown)
  })

  test('counts for each application by itself, whatever it is called', async () => {
    await times(100, cancel)
    secondsOf(await cancel())
    const twin = await server.tokenOf(await server.client(['Machine.Isolate']))
    assert.deepEqual(await times(100, () => cancel(twin)), unknown)
  })

  test('counts for an application and not for its token', async () => {
    const client = await server.client(['Machine.Isolate'])
    const first = await server.tokenOf(client)
    await times(100, () => cancel(first))
    server.clock.pass(1_000)
    const second = await server.tokenOf(client)
    assert.notEqual(first, second)
    assert.equal(secondsOf(await cancel(second)), 59)
  })

  test('that is not permitted does not count', async () => {
    const client = await server.client(['Machine.Isolate'])
    const able = await server.tokenOf(client)
    const other = await server.tokenOf(await server.client(['Machine.Read.All']))
    assert.deepEqual(await times(120, () => cancel(other)), new Set([403]))
    assert.deepEqual(await times(100, () => cancel(able)), unknown)
  })

  test('over the limit changes nothing', async () => {
    const { machineId } = await enrol(server)
    const { id } = await server.issue(machineId)
    await times(100, cancel)
    const before = server.history.last()
    secondsOf(await cancel(token, id))
    assert.equal(server.history.last(), before)
    assert.equal((await server.read(id)).status, 'Pending')
  })
})

const runOn = (machineId: string) => (): Promise<Answer> =>
  server.ask({
    method: 'POST',
    path: `/api/machines/${machineId}/runliveresponse`,
    token,
    body: { Comment: 'case 17', Commands: [runScript('run.sh')] },
  })

const devices = async (count: number): Promise<readonly TestDevice[]> => {
  return Promise.all(Array.from({ length: count }, () => enrol(server)))
}

describe('a live response', () => {
  test('is allowed 10 times in a minute, and the next when it has waited as told', async () => {
    const machines = await devices(12)
    for (const { machineId } of machines.slice(0, 10)) assert.equal((await runOn(machineId)()).status, 201)
    const [eleventh, twelfth] = machines.slice(10)
    assert.ok(eleventh && twelfth)
    const before = server.history.last()
    assert.equal(secondsOf(await runOn(eleventh.machineId)()), 60)
    assert.equal(server.history.last(), before, 'nothing was queued')
    server.clock.pass(60_000 - 1)
    secondsOf(await runOn(eleventh.machineId)())
    server.clock.pass(1)
    assert.equal((await runOn(eleventh.machineId)()).status, 201)
  })

  test('has no limit by the hour', async () => {
    for (let minutes = 0; minutes < 55; minutes += 1) {
      assert.deepEqual(await times(10, runOn('x')), unknown)
      secondsOf(await runOn('x')())
      server.clock.pass(minute)
    }
    assert.deepEqual(await times(10, runOn('x')), unknown)
  })
})

const link = (): Promise<Answer> =>
  server.ask({ method: 'GET', path: '/api/machineactions/x/getPackageUri', token })

describe('the link to a package', () => {
  test('is asked for twice in a minute, and reads go on', async () => {
    assert.deepEqual(await times(2, link), unknown)
    assert.equal(secondsOf(await link()), 60)
    assert.equal((await read()).status, 200)
    server.clock.pass(60_000 - 1)
    assert.equal(secondsOf(await link()), 1)
    server.clock.pass(1)
    assert.equal((await link()).status, 404)
  })
})

/** `wire.md` 1: all but these two are allowed 100 times a minute and 1,500 times an hour. */
const exceptions: Readonly<Record<string, Limit>> = {
  runLiveResponse: { perMinute: 10, perHour: null },
  getPackageUri: { perMinute: 2, perHour: 120 },
}
test.each(Object.entries(operations))('%s has the limit of the reference', (name, { limit }) => {
  assert.deepEqual(limits[limit], exceptions[name] ?? { perMinute: 100, perHour: 1_500 })
})

test('what people put on a machine takes from no other bucket', async () => {
  const permissions = ['Machine.ReadWrite.All', 'Machine.Isolate']
  const both = await server.tokenOf(await server.client(permissions))
  const path = '/api/machines/x/setDeviceValue'
  const label = () => server.ask({ method: 'POST', path, token: both, body: { DeviceValue: 'Low' } })
  const isolate = () => server.ask({ method: 'POST', path: '/api/machines/x/isolate', token: both, body: {} })
  assert.deepEqual(await times(100, label), unknown)
  assert.equal(secondsOf(await label()), 60)
  assert.deepEqual(await times(100, isolate), unknown)
  assert.equal(secondsOf(await isolate()), 60)
  assert.equal((await cancel(both)).status, 404)
})

test('a read is allowed 100 times in a minute', async () => {
  assert.deepEqual(await times(100, read), new Set([200]))
  assert.equal(secondsOf(await read()), 60)
  server.clock.pass(60_000)
  assert.equal((await read()).status, 200)
})
