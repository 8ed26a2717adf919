/** The live stream of events: all of what is committed, once, in order, from where a reader left off. Over a real socket. */
import assert from 'node:assert/strict'
import { get, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { onPostgres } from '../testing/databases.ts'
import { enrol } from '../testing/device.ts'
import { cancel, queued } from '../testing/given.ts'
import { checkError } from '../testing/scenarios.ts'
import { openServer, type Answer, type TestServer } from '../testing/server.ts'

let server: TestServer
let base: string
beforeAll(async () => {
  server = await openServer()
  await server.upload('run.sh')
  base = await server.http.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => server.close())

const path = '/api/countermand/events'
const now = async (query: string): Promise<Answer> =>
  server.ask({
    method: 'GET',
    path: `${path}?follow=false&${query}`,
    token: await server.token('Machine.Read.All'),
  })

interface Told {
  readonly id: number
  readonly event: string
  readonly data: Readonly<Record<string, unknown>>
}

const readAll = (text: string): readonly Told[] =>
  text
    .split('\n\n')
    .filter((block) => block.includes('data: '))
    .map((block) => {
      const [, id = '', event = '', data = ''] = /^id: (\d+)\nevent: (\S+)\ndata: (.+)$/.exec(block) ?? []
      return { id: Number(id), event, data: JSON.parse(data) }
    })

interface Stream {
  readonly response: IncomingMessage
  until(isSo: (told: readonly Told[]) => boolean): Promise<readonly Told[]>
  close(): void
}

async function open(query = '', headers: Record<string, string> = {}): Promise<Stream> {
  const token = await server.token('Machine.Read.All')
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${base}${path}?${query}`, { headers: { authorization: `Bearer ${token}`, ...headers } }, resolve).on(
      'error',
      reject,
    )
  })
  assert.equal(response.statusCode, 200)
  assert.equal(response.headers['content-type'], 'text/event-stream')
  let text = ''
  const waiting = new Set<() => void>()
  response.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
    for (const look of waiting) look()
  })
  const until: Stream['until'] = (isSo) =>
    new Promise((resolve) => {
      const look = (): void => {
        const told = readAll(text.slice(0, text.lastIndexOf('\n\n') + 2))
        if (isSo(told)) resolve(told)
      }
      waiting.add(look)
      look()
    })
  return { response, until, close: () => response.destroy() }
}

const has =
  (kind: string) =>
  (told: readonly Told[]): boolean =>
    told.some(({ event }) => event === kind)

const kindsOf = async (query: string): Promise<readonly string[]> =>
  readAll((await now(`after=0&${query}`)).text).map(({ event }) => event)
const isLast = (told: readonly Told[]): boolean => told.some(({ data }) => isOf(data, '299 '))

describe('GET /api/countermand/events', () => {
  test.each([
    ['Kind=action.cancelled', /no parameter Kind/],
    ['alarm=yes', /alarm takes true or false/],
    ['after=-1', /id of an event/],
    ['after=x', /id of an event/],
    ['follow=maybe', /follow takes true or false/],
  ])('%s is refused', async (query, says) => {
    const token = await server.token('Machine.Read.All')
    const answer = await server.ask({ method: 'GET', path: `${path}?${query}`, token })
    assert.equal(answer.status, 400)
    checkError(answer, 'InvalidInput', [says])
  })

  test('tells what is committed from now on, as it is committed', async () => {
    const stream = await open()
    const { id, device } = await queued(server)
    await cancel(server, id)
    const told = await stream.until(has('action.cancelled'))
    stream.close()
    const kinds = told.filter(({ data }) => data.actionId === id).map(({ event }) => event)
    assert.deepEqual(kinds, ['action.requested', 'action.cancel_requested', 'action.cancelled'])
    const last = told.at(-1)
    const row = server.history.ofAction(id).at(-1)
    assert.deepEqual(
      [last?.data.machineId, last?.data.actor, last?.data.alarm],
      [device.machineId, 'ann', false],
    )
    assert.deepEqual([last?.data.digest, last?.data.sequence], [row?.digest, row?.sequence])
    assert.ok(
      told.every(({ id: place }, index) => index === 0 || place > (told[index - 1]?.id ?? 0)),
      'in order',
    )
  })

  test('goes on behind the last that was told: nothing twice, nothing left out', async () => {
    const first = await open('after=0')
    const { id } = await queued(server)
    const before = await first.until((told) => told.some(({ data }) => data.actionId === id))
    first.close()
    await cancel(server, id)
    const second = await open('', { 'last-event-id': String(before.at(-1)?.id) })
    const after = await second.until(has('action.cancelled'))
    second.close()
    const places = [...before, ...after].map(({ id: place }) => place)
    const all = readAll((await now('after=0')).text).map(({ id: place }) => place)
    assert.deepEqual(places, all)
    assert.deepEqual(
      places,
      all.map((_, index) => index + 1),
    )
  })

  test('tells only what is wanted', async () => {
    const { id, device } = await queued(server)
    await cancel(server, id)
    await enrol(server)
    assert.deepEqual(await kindsOf(`actionId=${id}&kind=action.cancel*`), [
      'action.cancel_requested',
      'action.cancelled',
    ])
    assert.deepEqual(await kindsOf(`actionId=${id}&kind=action.cancelled,action.requested`), [
      'action.requested',
      'action.cancelled',
    ])
    assert.deepEqual(await kindsOf(`machineId=${device.machineId.toUpperCase()}&kind=device.*`), [
      'device.enrolled',
    ])
    assert.deepEqual(await kindsOf(`actionId=${id}&alarm=true`), [])
    assert.deepEqual(await kindsOf('kind=action.canceled'), [])
  })

  test('a reader who does not read keeps nobody waiting, and misses nothing when it reads on', async () => {
    const slow = await open('after=0')
    slow.response.pause()
    const quick = await open()
    const { id } = await queued(server)
    for (let count = 0; count < 300; count += 1) {
      // Long words, so that they fill every buffer on the way to who does not read.
      await cancelAs(id, `${count} ${'x'.repeat(20_000)}`)
    }
    await quick.until(isLast)
    quick.close()
    slow.response.resume()
    const told = await slow.until(isLast)
    slow.close()
    assert.deepEqual(
      told.map(({ id: place }) => place),
      told.map((_, index) => index + 1),
    )
  }, 60_000)

  test('ends when the server does', async () => {
    const mine = await openServer()
    const other = [server, base] as const
    server = mine
    base = await mine.http.listen({ host: '127.0.0.1', port: 0 })
    const stream = await open()
    const ended = new Promise((resolve) => stream.response.once('close', resolve))
    await mine.close()
    await ended
    // How long somebody has listened is nobody's wait for an answer.
    const { text } = await mine.app.meter.expose()
    assert.match(text, /operation="POST \/:tenant|operation="\/:tenant/)
    assert.ok(!text.includes('streamEvents'))
    ;[server, base] = other
  })
})

const isOf = (data: Told['data'], words: string): boolean => JSON.stringify(data.data).includes(words)

async function cancelAs(id: string, comment: string): Promise<void> {
  const token = await server.token('Machine.Isolate')
  await server.ask({
    method: 'POST',
    path: `/api/machineactions/${id}/cancel`,
    token,
    body: { Comment: comment },
  })
}

onPostgres((database) => {
  test('tells what another server on the same database has committed', async () => {
    const databaseUrl = await database.fresh()
    const other = [server, base] as const
    server = await openServer({ databaseUrl })
    base = await server.http.listen({ host: '127.0.0.1', port: 0 })
    const there = await openServer({ databaseUrl })
    const stream = await open()
    const device = await enrol(there)
    const told = await stream.until(has('device.enrolled'))
    assert.equal(told.find(({ event }) => event === 'device.enrolled')?.data.machineId, device.machineId)
    stream.close()
    await there.close()
    await server.close()
    ;[server, base] = other
  })
})
