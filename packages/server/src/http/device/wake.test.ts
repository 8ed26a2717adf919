/** The event stream of a device: a line that says *sync now*, and how long its history is. It carries nothing else. */
import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { enrol, type TestDevice } from '../../testing/device.ts'
import { cancel } from '../../testing/given.ts'
import { checkDialect, checkError } from '../../testing/scenarios.ts'
import { day, openServer, type TestServer } from '../../testing/server.ts'

let server: TestServer
let address: string
beforeAll(async () => {
  server = await openServer()
  await server.upload('run.sh')
  await server.http.listen({ host: '127.0.0.1', port: 0 })
  address = `http://127.0.0.1:${(server.http.server.address() as AddressInfo).port}`
})
afterAll(() => server.close())

interface Line {
  readonly event: string
  readonly data: string
}

/** Listens as a device does; `next` answers one line after the other. */
async function listen(ticket: string): Promise<{ next: () => Promise<Line>; end: () => void }> {
  const stop = new AbortController()
  const headers = { authorization: `Bearer ${ticket}` }
  const response = await fetch(`${address}/device/wake`, { headers, signal: stop.signal })
  assert.equal(response.status, 200)
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/)
  assert.ok(response.body)
  const chunks = response.body.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]()
  let text = ''
  const next = async (): Promise<Line> => {
    while (!text.includes('\n\n')) {
      const { value, done } = await chunks.next()
      if (done) throw new Error('the stream has ended')
      text += value
    }
    const at = text.indexOf('\n\n')
    const found = /^event: (\w+)\ndata: ?(.*)$/.exec(text.slice(0, at))
    text = text.slice(at + 2)
    assert.ok(found, 'an event with its data')
    return { event: found[1] ?? '', data: found[2] ?? '' }
  }
  return { next, end: () => stop.abort() }
}

/** An idle device that has synced once. */
const idle = async (): Promise<TestDevice> => {
  const device = await enrol(server)
  await device.sync()
  return device
}

describe('an event stream', () => {
  test.each([
    ['no ticket', () => Promise.resolve(null)],
    ['an API token', () => server.token('Machine.Read.All')],
    ['a made-up ticket', () => Promise.resolve('a.b')],
  ] as const)('is not opened for %s', async (_, ticketOf) => {
    const answer = await server.ask({ method: 'GET', path: '/device/wake', token: await ticketOf() })
    assert.equal(answer.status, 401, answer.text)
    checkDialect(answer)
    checkError(answer, 'Unauthorized')
  })

  test('is not opened for a ticket that is a day old', async () => {
    const { ticket } = await idle()
    server.clock.pass(day)
    const answer = await server.ask({ method: 'GET', path: '/device/wake', token: ticket })
    assert.equal(answer.status, 401)
  })

  test('begins with the length of the device’s history, which is that of the last reply', async () => {
    const device = await idle()
    const { head } = await device.sync()
    const { next, end } = await listen(device.ticket)
    assert.deepEqual(await next(), { event: 'work', data: String(head.sequence) })
    end()
  })

  test('wakes the device for an action, and for its cancel, and carries neither', async () => {
    const device = await idle()
    const { next, end } = await listen(device.ticket)
    await next()
    const { id } = await server.issue(device.machineId)
    assert.deepEqual(await next(), { event: 'wake', data: '' })
    await device.sync()
    await device.sync()
    await cancel(server, id)
    assert.deepEqual(await next(), { event: 'wake', data: '' })
    end()
  })

  test('does not wake a device for what it has said itself, nor for what another is to do', async () => {
    const [device, other] = [await idle(), await idle()]
    const { id } = await server.issue(device.machineId)
    const { next, end } = await listen(device.ticket)
    await next()
    await device.bring(id, 'succeeded')
    await server.issue(other.machineId)
    const second = await server.issue(device.machineId)
    // Had it been woken before, there would be more than this one line.
    assert.equal((await next()).event, 'wake')
    const early = next()
    const seen = await Promise.race([early, new Promise((resolve) => setTimeout(resolve, 200, 'nothing'))])
    assert.equal(seen, 'nothing')
    await cancel(server, second.id)
    assert.equal((await early).event, 'wake')
    end()
  })
})
