/** What an action brings to its device and the device brings back: with its ticket, for its own actions, and no others. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { enrol } from '../../testing/device.ts'
import { broughtTo, queued, type Given } from '../../testing/given.ts'
import { checkDialect, checkError } from '../../testing/scenarios.ts'
import { day, openServer, type Answer, type TestServer } from '../../testing/server.ts'

const script = '#!/bin/sh\necho ok\n'
const hash = (text: string): string => createHash('sha256').update(text).digest('hex')

let server: TestServer
beforeAll(async () => {
  server = await openServer()
  await server.upload('run.sh', script)
  await server.upload('other.sh', 'another')
})
afterAll(() => server.close())

const fetch = (id: string, sha256: string, token: string | null): Promise<Answer> =>
  server.ask({ method: 'GET', path: `/device/actions/${id}/files/${sha256}`, token })
const put = (
  id: string,
  index: string,
  token: string | null,
  body: string | Buffer = 'result',
): Promise<Answer> =>
  server.ask({ method: 'PUT', path: `/device/actions/${id}/results/${index}`, token, body })

const isRefused = (answer: Answer, status: number, code: string): void => {
  assert.equal(answer.status, status, answer.text)
  checkDialect(answer)
  checkError(answer, code)
}

const noTickets: Readonly<Record<string, (given: Given) => Promise<string | null>>> = {
  'no ticket': () => Promise.resolve(null),
  'a made-up ticket': () => Promise.resolve('a.b'),
  'an API token': () => server.token('Machine.LiveResponse', 'Library.Manage'),
  'a ticket with a letter changed': ({ device: { ticket } }) =>
    Promise.resolve(`${ticket.startsWith('M') ? 'N' : 'M'}${ticket.slice(1)}`),
  'a ticket that is over': async ({ device }) => {
    const { ticket } = device
    server.clock.pass(day)
    return Promise.resolve(ticket)
  },
}

describe.each(Object.entries(noTickets))('%s', (_, ticketOf) => {
  test('brings no script, and takes no result', async () => {
    const given = await broughtTo('accepted')(server)
    const ticket = await ticketOf(given)
    isRefused(await fetch(given.id, hash(script), ticket), 401, 'Unauthorized')
    isRefused(await put(given.id, '0', ticket), 401, 'Unauthorized')
  })
})

const ticketOfAnother = async (): Promise<string> => (await broughtTo('accepted')(server)).device.ticket

describe('a script', () => {
  test('of another device’s action is as unknown as none', async () => {
    const { id } = await broughtTo('accepted')(server)
    isRefused(await fetch(id, hash(script), await ticketOfAnother()), 404, 'ResourceNotFound')
    isRefused(await fetch('x', hash(script), await ticketOfAnother()), 404, 'ResourceNotFound')
  })

  test('that is in the library but not in the action is not brought', async () => {
    const { id, device } = await broughtTo('accepted')(server)
    isRefused(await fetch(id, hash('another'), device.ticket), 404, 'ResourceNotFound')
    isRefused(await fetch(id, '..%2f..%2fkeys%2forder.jwk', device.ticket), 404, 'ResourceNotFound')
  })

  test('of an action that is over is not brought', async () => {
    const { id, device } = await broughtTo('succeeded')(server)
    isRefused(await fetch(id, hash(script), device.ticket), 404, 'ResourceNotFound')
  })

  test('of the device’s own action is brought as it was pinned, though it left the library', async () => {
    const { id, device } = await broughtTo('accepted')(server)
    const token = await server.token('Library.Manage')
    await server.ask({ method: 'DELETE', path: '/api/libraryfiles/run.sh', token })
    await server.upload('run.sh', 'something else')
    const { status, bytes, headers } = await fetch(id, hash(script), device.ticket)
    assert.deepEqual([status, bytes.toString()], [200, script])
    assert.equal(headers['content-length'], String(script.length))
    await server.ask({ method: 'DELETE', path: '/api/libraryfiles/run.sh', token })
    await server.upload('run.sh', script)
  })
})

describe('a result', () => {
  test('for another device’s action is refused', async () => {
    const { id } = await broughtTo('running')(server)
    isRefused(await put(id, '0', await ticketOfAnother()), 404, 'ResourceNotFound')
  })

  test.each(['1', '-1', 'x', '0.5'])('for the command %s, which there is not, is refused', async (index) => {
    const { id, device } = await broughtTo('running')(server)
    isRefused(await put(id, index, device.ticket), 400, 'InvalidInput')
  })

  test('over 16 MiB is refused', async () => {
    const { id, device } = await broughtTo('running')(server)
    const bytes = Buffer.alloc(16 * 1024 * 1024 + 1)
    isRefused(await put(id, '0', device.ticket, bytes), 413, 'RequestEntityTooLarge')
  })

  test('of an action that is over is refused', async () => {
    const { id, device } = await broughtTo('succeeded')(server)
    isRefused(await put(id, '0', device.ticket), 404, 'ResourceNotFound')
  })

  test('of the device’s own action is kept under its hash, and changes no action by itself', async () => {
    const { id, device } = await broughtTo('running')(server)
    const before = [await server.read(id), server.history.last()]
    const answer = await put(id, '0', device.ticket, 'the result')
    assert.equal(answer.status, 200)
    assert.deepEqual(answer.body, { sha256: hash('the result'), size: 10 })
    assert.deepEqual([await server.read(id), server.history.last()], before)
  })
})

test('a ticket of a device that has enrolled again is worth nothing', async () => {
  const { device } = await queued(server)
  await device.sync()
  const { ticket } = device
  await enrol(server, { token: await server.enrolmentToken(device.machineId) })
  const { id } = await server.issue(device.machineId)
  isRefused(await fetch(id, hash(script), ticket), 401, 'Unauthorized')
})
