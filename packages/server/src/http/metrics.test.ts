/** What a server counts, seen as Prometheus sees it. */
import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { onEachDatabase } from '../testing/databases.ts'
import { enrol, post } from '../testing/device.ts'
import { broughtTo, cancel, queued } from '../testing/given.ts'
import { scrape, valueOf, type Sample } from '../testing/metrics.ts'
import { checkError } from '../testing/scenarios.ts'
import { impatient, minute, openServer, unlimited, type Answer, type TestServer } from '../testing/server.ts'

const alarms = (samples: readonly Sample[]): number =>
  valueOf(samples, 'countermand_alarms_total', { kind: 'device.cloned' }) ?? 0

const get = (server: TestServer, token?: string): Promise<Answer> =>
  server.ask({ method: 'GET', path: '/metrics', ...(token !== undefined && { token }) })

describe('/metrics', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await openServer()
  })
  afterAll(() => server.close())

  test('asks for a token where others than this host may reach it', async () => {
    const answer = await get(server)
    assert.equal(answer.status, 401)
    checkError(answer, 'Unauthorized')
  })

  test('is not for a token that may not read machines', async () => {
    const answer = await get(server, await server.token('Library.Manage', 'Machine.Isolate'))
    assert.equal(answer.status, 403)
    checkError(answer, 'Forbidden')
  })

  test('answers in the text format of Prometheus', async () => {
    const answer = await get(server, await server.token('Machine.Read.All'))
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
    assert.match(answer.text, /^# HELP countermand_actions .*\n# TYPE countermand_actions gauge$/m)
  })

  test.each([
    ['open', 200],
    ['off', 404],
  ])('--metrics %s answers %d without a token', async (who, status) => {
    const other = await openServer({ flags: ['--metrics', who] })
    assert.equal((await get(other)).status, status)
    await other.close()
  })

  test('counts against the limit on reading like any other call with a token', async () => {
    const limited = await openServer({ flags: ['--limits', 'read=1/1'] })
    const token = await limited.token('Machine.Read.All')
    assert.deepEqual([(await get(limited, token)).status, (await get(limited, token)).status], [200, 429])
    await limited.close()
  })
})

describe('what happens is counted', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await openServer({ flags: [...unlimited, ...impatient, '--limits', 'package=1/1'] })
    await server.upload('run.sh')
  })
  afterAll(() => server.close())

  /** How much each of these grew by. */
  async function grown(
    what: () => Promise<unknown>,
    name: string,
    labels: Readonly<Record<string, string>>,
  ): Promise<number> {
    const before = valueOf(await scrape(server), name, labels) ?? 0
    await what()
    return (valueOf(await scrape(server), name, labels) ?? 0) - before
  }

  test('a call by its operation and its status', async () => {
    const { id } = await queued(server)
    const labels = { operation: 'cancelMachineAction', status: '200' }
    assert.equal(await grown(() => cancel(server, id), 'http_request_duration_seconds_count', labels), 1)
  })

  test('what is nowhere, without its path', async () => {
    const labels = { operation: 'none', status: '404' }
    const asked = { method: 'GET', path: '/nowhere/at-all' } as const
    assert.equal(await grown(() => server.ask(asked), 'http_request_duration_seconds_count', labels), 1)
  })

  test('a cancel by how it ended, with how long that took', async () => {
    const { id, device } = await broughtTo('running')(server)
    const proven = async (): Promise<void> => {
      await cancel(server, id)
      await device.sync()
      server.clock.pass(2_000)
      device.stop(id)
      await device.sync()
    }
    const name = 'countermand_cancel_duration_seconds'
    const before = await scrape(server)
    assert.equal(await grown(proven, `${name}_count`, { outcome: 'confirmed' }), 1)
    const after = await scrape(server)
    const grew = (labels: object, of: string): number =>
      (valueOf(after, of, { outcome: 'confirmed', ...labels }) ?? 0) -
      (valueOf(before, of, { outcome: 'confirmed', ...labels }) ?? 0)
    assert.equal(grew({}, `${name}_sum`), 2)
    assert.deepEqual([grew({ le: '1' }, `${name}_bucket`), grew({ le: '2.5' }, `${name}_bucket`)], [0, 1])
  })

  test('a cancel that came too late as that', async () => {
    const { id, device } = await broughtTo('running')(server)
    const late = async (): Promise<void> => {
      await cancel(server, id)
      device.finish(id, 'succeeded')
      await device.sync()
    }
    const labels = { outcome: 'too_late' }
    assert.equal(await grown(late, 'countermand_cancel_duration_seconds_count', labels), 1)
  })

  test('a statement that was taken, and one that no device here has signed', async () => {
    const device = await enrol(server)
    const name = 'countermand_device_syncs_total'
    assert.equal(await grown(() => device.sync(), name, { result: 'taken' }), 1)
    assert.equal(await grown(() => post(server, '/device/sync', 'a.b.c'), name, { result: 'refused' }), 1)
  })

  test('the statements of a copied device, and the alarm, once', async () => {
    const device = await enrol(server)
    await device.sync()
    const copy = device.copy()
    await device.sync()
    const both = async (): Promise<void> => {
      for (const one of [copy, device]) assert.equal((await one.send(await one.say())).status, 409)
    }
    const before = await scrape(server)
    assert.equal(await grown(both, 'countermand_device_syncs_total', { result: 'conflict' }), 2)
    const after = await scrape(server)
    assert.equal(alarms(after) - alarms(before), 1)
  })

  test('a call that came to its limit, by the class of the limit', async () => {
    const { id } = await queued(server)
    const token = await server.token('Machine.Read.All')
    const ask = () => server.ask({ method: 'GET', path: `/api/machineactions/${id}/getPackageUri`, token })
    await ask()
    assert.equal(await grown(ask, 'countermand_limits_hit_total', { class: 'package' }), 1)
  })

  test('a live response for which too many are open, as one of the limits', async () => {
    const other = await openServer({ flags: [...impatient, '--sessions', '1'] })
    await other.upload('run.sh')
    const { machineId } = await enrol(other)
    await other.issue(machineId)
    const second = await enrol(other, { name: 'ws-018' })
    await assert.rejects(other.issue(second.machineId), /429/)
    assert.equal(valueOf(await scrape(other), 'countermand_limits_hit_total', { class: 'sessions' }), 1)
    await other.close()
  })

  test('a device while it listens, once however often', async () => {
    await server.http.listen({ host: '127.0.0.1', port: 0 })
    const { port } = server.http.server.address() as AddressInfo
    const device = await enrol(server)
    await device.sync()
    const connected = async (): Promise<number | null> =>
      valueOf(await scrape(server), 'countermand_devices_connected')
    const listen = async (): Promise<() => void> => {
      const stop = new AbortController()
      const headers = { authorization: `Bearer ${device.ticket}` }
      const { status } = await fetch(`http://127.0.0.1:${port}/device/wake`, { headers, signal: stop.signal })
      assert.equal(status, 200)
      return () => stop.abort()
    }
    const stops = [await listen(), await listen()]
    assert.equal(await connected(), 1)
    for (const stop of stops) stop()
    while ((await connected()) !== 0) await new Promise(setImmediate)
  })

  test('and nothing of who or what it was about', async () => {
    const { device, id } = await queued(server)
    const { text } = await get(server, await server.token('Machine.Read.All'))
    for (const secret of [device.machineId, id, 'ws-017', 'run.sh', 'ann', 'an application'])
      assert.ok(!text.includes(secret), `${secret} is named`)
  })
})

/** How many live responses are in each of these phases. */
const counts = async (server: TestServer, ...phases: readonly string[]): Promise<readonly unknown[]> => {
  // What a scrape says is good for five seconds.
  server.clock.pass(5_000)
  const samples = await scrape(server)
  return phases.map((phase) => valueOf(samples, 'countermand_actions', { type: 'LiveResponse', phase }))
}

onEachDatabase((database) => {
  describe(`actions by type and phase on ${database.name}`, () => {
    test('are those of the database: after steps, after their end, after a restart, and on another server', async () => {
      const databaseUrl = await database.fresh()
      let server = await openServer({ databaseUrl })
      await server.upload('run.sh')
      assert.deepEqual(await counts(server, 'queued', 'running', 'cancelled'), [0, 0, 0])
      const first = await queued(server)
      await broughtTo('running')(server)
      assert.deepEqual(await counts(server, 'queued', 'running', 'cancelled'), [1, 1, 0])
      await cancel(server, first.id)
      assert.deepEqual(await counts(server, 'queued', 'running', 'cancelled'), [0, 1, 1])
      server = await server.restart()
      assert.deepEqual(await counts(server, 'queued', 'running', 'cancelled'), [0, 1, 1])
      if (databaseUrl !== null) {
        const other = await openServer({ databaseUrl })
        await queued(other)
        assert.deepEqual(await counts(server, 'queued', 'running', 'cancelled'), [1, 1, 1])
        assert.deepEqual(await counts(other, 'queued', 'running', 'cancelled'), [1, 1, 1])
        await other.close()
      }
      server.clock.pass(minute)
      await server.close()
    })
  })
})
