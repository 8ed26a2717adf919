/** Links: for a device with its ticket, to what its own open actions need and bring, and to nothing else. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { LinkRequest } from '@countermand/contract'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { enrol } from '../../testing/device.ts'
import { broughtTo, cancel, queued, runningAs, type Given } from '../../testing/given.ts'
import { sendPart, standingOf } from '../../testing/parts.ts'
import { checkDialect, checkError } from '../../testing/scenarios.ts'
import { day, minute, openServer, type Answer, type TestServer } from '../../testing/server.ts'

const script = '#!/bin/sh\necho ok\n'
const hash = (text: string): string => createHash('sha256').update(text).digest('hex')

let server: TestServer
beforeAll(async () => {
  server = await openServer()
  await server.upload('run.sh', script)
  await server.upload('other.sh', 'another')
})
afterAll(() => server.close())

const isRefused = (answer: Answer, status: number, code: string): void => {
  assert.equal(answer.status, status, answer.text)
  checkDialect(answer)
  checkError(answer, code)
}
const theScript: LinkRequest = { file: hash(script) }
const theResult: LinkRequest = { result: 0 }
const fetch = (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  server.ask({ method: 'GET', path, headers })
const bring = (path: string): Promise<Answer> => {
  const bytes = Buffer.from('result')
  return sendPart(server, path, { offset: 0, bytes, whole: bytes })
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

test.each(Object.entries(noTickets))('%s gets no link', async (_, ticketOf) => {
  const given = await broughtTo('accepted')(server)
  const ticket = await ticketOf(given)
  isRefused(await given.device.ask(given.id, theScript, ticket), 401, 'Unauthorized')
  isRefused(await given.device.ask(given.id, theResult, ticket), 401, 'Unauthorized')
})

test('a ticket of a device that has enrolled again gets no link', async () => {
  const { device } = await queued(server)
  await device.sync()
  await enrol(server, { token: await server.enrolmentToken(device.machineId) })
  const { id } = await server.issue(device.machineId)
  isRefused(await device.ask(id, theScript), 401, 'Unauthorized')
})

describe('a link', () => {
  test.each([
    ['that is no JSON', '{'],
    ['that is empty', ''],
    ['that asks for nothing', '{}'],
    ['with a hash that is none', '{"file":"../../keys/order.jwk"}'],
    ['with a hash in capital letters', JSON.stringify({ file: hash(script).toUpperCase() })],
    ['with an index below zero', '{"result":-1}'],
    ['with an index that is no integer', '{"result":0.5}'],
    ['with an index as a text', '{"result":"0"}'],
    ['with an index that no action has', '{"result":100}'],
  ])('for a body %s is refused', async (_, body) => {
    const { id, device } = await broughtTo('running')(server)
    const path = `/device/actions/${id}/link`
    const answer = await server.ask({ method: 'POST', path, token: device.ticket, body })
    isRefused(answer, 400, 'InvalidRequestBody')
  })

  test('to anything of another device’s action is as unknown as of none', async () => {
    const { id } = await broughtTo('running')(server)
    const { device } = await broughtTo('running')(server)
    isRefused(await device.ask(id, theScript), 404, 'ResourceNotFound')
    isRefused(await device.ask(id, theResult), 404, 'ResourceNotFound')
    isRefused(await device.ask('x', theScript), 404, 'ResourceNotFound')
  })

  test('to anything of an action that is over is refused', async () => {
    const { id, device } = await broughtTo('succeeded')(server)
    isRefused(await device.ask(id, theScript), 404, 'ResourceNotFound')
    isRefused(await device.ask(id, theResult), 404, 'ResourceNotFound')
  })

  test('to a file that is in the library but not in the action is refused', async () => {
    const { id, device } = await broughtTo('running')(server)
    isRefused(await device.ask(id, { file: hash('another') }), 404, 'ResourceNotFound')
  })

  test('to the result of a command that there is not is refused', async () => {
    const { id, device } = await broughtTo('running')(server)
    isRefused(await device.ask(id, { result: 1 }), 400, 'InvalidInput')
  })

  test('to the result of a command that brings none is refused', async () => {
    const pinned = { sha256: hash('another'), size: 7, limitMs: minute }
    const put = { type: 'PutFile', fileName: 'other.sh', ...pinned } as const
    const { id, device } = await runningAs({ commands: [put] })(server)
    isRefused(await device.ask(id, theResult), 400, 'InvalidInput')
  })

  test('to a file that is to be put on the device brings it', async () => {
    const pinned = { sha256: hash('another'), size: 7, limitMs: minute }
    const put = { type: 'PutFile', fileName: 'other.sh', ...pinned } as const
    const { id, device } = await runningAs({ commands: [put] })(server)
    assert.equal((await fetch(await device.link(id, { file: hash('another') }))).text, 'another')
  })

  test('brings a script as it was pinned, though it left the library; without a ticket', async () => {
    const { id, device } = await broughtTo('accepted')(server)
    const token = await server.token('Library.Manage')
    await server.ask({ method: 'DELETE', path: '/api/libraryfiles/run.sh', token })
    await server.upload('run.sh', 'something else')
    const { status, text, headers } = await fetch(await device.link(id, theScript))
    assert.deepEqual([status, text], [200, script])
    assert.equal(headers['content-length'], String(script.length))
    assert.equal(headers['accept-ranges'], 'bytes')
    await server.ask({ method: 'DELETE', path: '/api/libraryfiles/run.sh', token })
    await server.upload('run.sh', script)
  })

  test('is for one purpose: to a file it takes nothing, to a result it brings nothing', async () => {
    const { id, device } = await broughtTo('running')(server)
    const [file, result] = [await device.link(id, theScript), await device.link(id, theResult)]
    isRefused(await bring(file), 403, 'Forbidden')
    assert.equal((await server.ask({ method: 'HEAD', path: file })).status, 403)
    isRefused(await fetch(result), 403, 'Forbidden')
  })

  test('that was changed, cut short, made up or is a ticket is refused', async () => {
    const { id, device } = await broughtTo('running')(server)
    for (const [wanted, follow] of [
      [theScript, fetch],
      [theResult, bring],
    ] as const) {
      const link = await device.link(id, wanted)
      const begin = link.lastIndexOf('/') + 1
      for (let at = begin; at < link.length - 1; at += 31) {
        const other = link[at] === 'A' ? 'B' : 'A'
        isRefused(await follow(link.slice(0, at) + other + link.slice(at + 1)), 403, 'Forbidden')
      }
      isRefused(await follow(link.slice(0, -5)), 403, 'Forbidden')
      isRefused(await follow('/device/transfer/x'), 403, 'Forbidden')
      isRefused(await follow(`/device/transfer/${device.ticket}`), 403, 'Forbidden')
    }
  })

  test('is good for 30 minutes, and not a moment longer', async () => {
    const { id, device } = await broughtTo('running')(server)
    const [file, result] = [await device.link(id, theScript), await device.link(id, theResult)]
    server.clock.pass(30 * minute - 1)
    assert.equal((await fetch(file)).status, 200)
    assert.deepEqual(await standingOf(server, result), [204, '0', '?0', undefined])
    server.clock.pass(1)
    isRefused(await fetch(file), 403, 'Forbidden')
    isRefused(await bring(result), 403, 'Forbidden')
    assert.equal((await standingOf(server, result))[0], 403)
  })

  test('to a download is none for a transfer, and the other way round', async () => {
    const { id, device } = await broughtTo('running')(server)
    const link = (await device.link(id, theScript)).replace('/device/transfer/', '/download/')
    isRefused(await fetch(link), 403, 'Forbidden')
    device.finish(id, 'succeeded', await device.upload(id, 'text'))
    await device.sync()
    const token = await server.token('Machine.Read.All')
    const path = `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=0)`
    const { body } = await server.ask<{ value: string }>({ method: 'GET', path, token })
    const sealed = body.value.slice(body.value.lastIndexOf('/') + 1)
    isRefused(await fetch(`/device/transfer/${sealed}`), 403, 'Forbidden')
  })

  test('ends with its action, of its own accord or by a cancel', async () => {
    for (const how of ['finish', 'stop'] as const) {
      const { id, device } = await broughtTo('running')(server)
      const file: string = await device.link(id, theScript)
      const result: string = await device.link(id, theResult)
      if (how === 'stop') await cancel(server, id)
      assert.equal((await fetch(file)).status, 200, 'a cancel that is outstanding ends nothing yet')
      device[how](id)
      await device.sync()
      isRefused(await fetch(file), 404, 'ResourceNotFound')
      isRefused(await bring(result), 404, 'ResourceNotFound')
      assert.equal((await standingOf(server, result))[0], 404)
    }
  })
})

const getRange = async (range: string, more: Readonly<Record<string, string>> = {}): Promise<Answer> => {
  const { id, device } = await broughtTo('accepted')(server)
  return fetch(await device.link(id, theScript), { range, ...more })
}

describe('a range of a file', () => {
  const size = script.length
  test.each([
    ['bytes=0-', 0, size],
    ['bytes=5-', 5, size],
    [`bytes=${size - 1}-`, size - 1, size],
    ['bytes=3-3', 3, 4],
    ['bytes=3-9', 3, 10],
    ['bytes=3-999999999999999999999', 3, size],
  ])('%s is brought', async (range, from, to) => {
    const { status, text, headers } = await getRange(range)
    assert.deepEqual([status, text], [206, script.slice(from, to)])
    assert.equal(headers['content-range'], `bytes ${from}-${to - 1}/${size}`)
    assert.equal(headers['content-length'], String(to - from))
  })

  test.each([`bytes=${size}-`, `bytes=${size + 5}-${size + 9}`])('%s is beyond the end', async (range) => {
    const answer = await getRange(range)
    isRefused(answer, 416, 'InvalidRange')
    assert.equal(answer.headers['content-range'], `bytes */${size}`)
  })

  test.each(['bytes=9-3', 'bytes=0-1,4-5', 'bytes=-5', 'lines=1-2', 'x'])(
    '%s is none that is known: all of it is brought',
    async (range) => {
      const { status, text } = await getRange(range)
      assert.deepEqual([status, text], [200, script])
    },
  )

  test('of another version than this is not brought: all of it is', async () => {
    const mine = await getRange('bytes=5-', { 'if-range': `"${hash(script)}"` })
    assert.deepEqual([mine.status, mine.text], [206, script.slice(5)])
    const other = await getRange('bytes=5-', { 'if-range': `"${hash('another')}"` })
    assert.deepEqual([other.status, other.text], [200, script])
  })
})
