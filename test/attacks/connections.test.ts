/** Over real connections: what is no HTTP, what is read in two ways, what comes too slowly, and too many at once. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, describe, test } from 'vitest'
import { broughtTo } from '../../packages/server/src/testing/given.ts'
import { partHeaders, untilTrue } from '../../packages/server/src/testing/parts.ts'
import { changedTables, rowsOf, stage, type Line, type Stage } from './stage.ts'

async function listening({ server }: Stage): Promise<number> {
  await server.http.listen({ host: '127.0.0.1', port: 0 })
  return (server.http.server.address() as AddressInfo).port
}

interface Talk {
  readonly socket: Socket
  /** All that came, once the other side has closed. */
  readonly closed: Promise<string>
  readonly heard: () => string
}

function open(port: number): Talk {
  const socket = connect(port, '127.0.0.1')
  let heard = ''
  socket.on('data', (chunk) => (heard += chunk.toString('latin1')))
  // Reset or ended: it is over, and what had come by then is what counts.
  socket.on('error', () => undefined)
  const closed = new Promise<string>((resolve) => socket.on('close', () => resolve(heard)))
  return { socket, closed, heard: () => heard }
}

const statusesOf = (text: string): readonly number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
/** Of the last answer: an attacker is told the same as anybody. */
const idOf = (text: string): string => [...text.matchAll(/request-id: (\S+)/gi)].at(-1)?.[1] ?? ''

const traceOf = (lines: readonly Line[], id: string): unknown => {
  const found = lines.find(({ reqId, msg }) => reqId === id && msg === 'answered')
  return found === undefined ? null : [found.level, found.status, found.code]
}

const head = (line: string, headers: readonly string[] = []): string =>
  [line, 'Host: countermand.example', ...headers, '', ''].join('\r\n')

/** A byte now and then, until the other side has had enough. */
async function drip({ socket }: Talk, text: string): Promise<void> {
  for (const sign of text) {
    if (socket.destroyed || !socket.writable) return
    socket.write(sign)
    await pause(40)
  }
}

describe('what is no request, or might be two', () => {
  const on = stage()
  let port = 0
  beforeAll(async () => {
    port = await listening(on)
  })

  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
  test.each([
    ['a head of 17 KiB', head('GET /healthz HTTP/1.1', [`X-Long: ${'x'.repeat(17 * 1024)}`]), [431]],
    ['a URL of 17 KiB', head(`GET /${'x'.repeat(17 * 1024)} HTTP/1.1`), [431]],
    [
      '2,000 headers',
      head(
        'GET /healthz HTTP/1.1',
        Array.from({ length: 2_000 }, (_, at) => `X-${at}: xxxx`),
      ),
      [431],
    ],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00', [400]],
    [
      'a length and chunks',
      head('POST /device/sync HTTP/1.1', ['Content-Length: 4', 'Transfer-Encoding: chunked']) +
        `0\r\n\r\n${smuggled}`,
      [400],
    ],
    [
      'chunks and a length',
      head('POST /device/sync HTTP/1.1', ['Transfer-Encoding: chunked', 'Content-Length: 4']) +
        `0\r\n\r\n${smuggled}`,
      [400],
    ],
    [
      'two lengths',
      head('POST /device/sync HTTP/1.1', ['Content-Length: 0', 'Content-Length: 40']) + smuggled,
      [400],
    ],
    ['a length that is none', head('POST /device/sync HTTP/1.1', ['Content-Length: +4']) + 'abcd', [400]],
    [
      'chunks under another name',
      head('POST /device/sync HTTP/1.1', ['Transfer-Encoding: xchunked']) + smuggled,
      [400],
    ],
    [
      'a chunk whose size is none',
      head('POST /device/sync HTTP/1.1', ['Transfer-Encoding: chunked']) + 'zz\r\nab\r\n0\r\n\r\n',
      [400],
    ],
    ['a header on two lines', head('GET /healthz HTTP/1.1', ['X-A: 1', ' X-B: 2']), [400]],
    ['a blank before the colon', head('POST /device/sync HTTP/1.1', ['Content-Length : 4']) + 'abcd', [400]],
    [
      'a body longer than its length',
      head('POST /device/sync HTTP/1.1', ['Content-Length: 3']) + 'abcdefgh \r\n\r\n',
      [400],
    ],
  ] as const)('%s is refused, changes nothing, and is a line of the log', async (_, sent, statuses) => {
    const rows = rowsOf(on.server)
    on.lines()
    const talk = open(port)
    talk.socket.write(sent)
    const text = await talk.closed
    assert.deepEqual(statusesOf(text), statuses, text)
    assert.ok(!text.includes('/smuggled'), 'what was hidden is no request')
    const [line] = on.lines().filter(({ reqId }) => reqId === idOf(text))
    assert.deepEqual([line?.msg, line?.level, line?.status], ['answered', 40, statuses.at(-1)])
    assert.equal(typeof line?.code, 'string')
    assert.deepEqual(changedTables(rows, on.server), [])
  })
})

describe('what comes too slowly', () => {
  const on = stage({
    patience: { headMs: 250, lookMs: 50, bodyMs: 250, bytesPerSecond: 1_000_000, idleMs: 250 },
  })
  let port = 0
  beforeAll(async () => {
    port = await listening(on)
  })

  test('a head by the byte is answered 408 and closed', async () => {
    on.lines()
    const talk = open(port)
    await drip(talk, head('GET /healthz HTTP/1.1', [`X-Slow: ${'x'.repeat(2_000)}`]))
    const text = await talk.closed
    assert.deepEqual(statusesOf(text), [408], text)
    assert.deepEqual(traceOf(on.lines(), idOf(text)), [40, 408, 'RequestTimeout'])
  })

  test('a connection on which nothing is said is closed', async () => {
    on.lines()
    const text = await open(port).closed
    assert.deepEqual(statusesOf(text), [408], text)
    assert.deepEqual(traceOf(on.lines(), idOf(text)), [40, 408, 'RequestTimeout'])
  })

  test.each(['/device/sync', '/device/enrol', '/x/oauth2/v2.0/token'])(
    'a body by the byte to %s is answered 408 and closed',
    async (path) => {
      const rows = rowsOf(on.server)
      on.lines()
      const talk = open(port)
      talk.socket.write(head(`POST ${path} HTTP/1.1`, ['Content-Length: 2000']))
      await drip(talk, 'x'.repeat(2_000))
      const text = await talk.closed
      assert.deepEqual(statusesOf(text), [408], text)
      assert.deepEqual(traceOf(on.lines(), idOf(text)), [40, 408, 'RequestTimeout'])
      assert.deepEqual(changedTables(rows, on.server), [])
    },
  )

  test('a body by the byte after the refusal is not listened to for long', async () => {
    on.lines()
    const talk = open(port)
    talk.socket.write(head('POST /api/libraryfiles HTTP/1.1', ['Content-Length: 2000']))
    await drip(talk, 'x'.repeat(2_000))
    assert.deepEqual(statusesOf(await talk.closed), [401])
    const codes = on.lines().map(({ msg, code }) => [msg, code])
    assert.deepEqual(codes, [
      ['answered', 'Unauthorized'],
      ['connection closed', 'RequestTimeout'],
    ])
  })

  test('a connection that is kept for later is closed, which is no fault', async () => {
    const talk = open(port)
    talk.socket.write(head('GET /healthz HTTP/1.1'))
    assert.equal(statusesOf(await talk.closed).length, 1)
  })

  test('a part of an upload may take longer than any other body, and a listener stays', async () => {
    const { id, device } = await broughtTo('running')(on.server)
    const listener = open(port)
    listener.socket.write(head('GET /device/wake HTTP/1.1', [`Authorization: Bearer ${device.ticket}`]))
    const bytes = randomBytes(20)
    const headers = Object.entries(partHeaders({ offset: 0, bytes, whole: bytes })).map(
      ([name, value]) => `${name}: ${value}`,
    )
    const talk = open(port)
    const path = await device.link(id, { result: 0 })
    talk.socket.write(
      head(`PATCH ${path} HTTP/1.1`, [...headers, `Content-Length: ${bytes.length}`, 'Connection: close']),
    )
    for (const byte of bytes) {
      talk.socket.write(Buffer.of(byte))
      await pause(40)
    }
    assert.deepEqual(statusesOf(await talk.closed), [200])
    assert.deepEqual([statusesOf(listener.heard()), listener.socket.destroyed], [[200], false])
    listener.socket.destroy()
  })
})

describe('a connection on which nothing moves', () => {
  const on = stage({ patience: { silenceMs: 300 } })
  test('is closed in the midst of an answer, and is a line of the log', async () => {
    const port = await listening(on)
    const { device } = await broughtTo('running')(on.server)
    on.lines()
    const talk = open(port)
    // Its next line is due in 15 s.
    talk.socket.write(head('GET /device/wake HTTP/1.1', [`Authorization: Bearer ${device.ticket}`]))
    assert.deepEqual(statusesOf(await talk.closed), [200])
    assert.deepEqual(
      on
        .lines()
        .filter(({ msg }) => msg === 'connection closed')
        .map(({ code, address, level }) => [code, address, level]),
      [['Silence', '127.0.0.1', 40]],
    )
  })
})

describe('more connections than there may be', () => {
  const on = stage({ patience: { connections: 3 } })
  test('are refused, those before go on, and it is one line of the log', async () => {
    const port = await listening(on)
    const first = [open(port), open(port), open(port)]
    const count = (): Promise<number> =>
      new Promise((resolve) => on.server.http.server.getConnections((_, found) => resolve(found)))
    while ((await count()) < 3) await pause(5)
    on.lines()
    const more = [open(port), open(port), open(port), open(port)]
    for (const { closed } of more) assert.equal(await closed, '')
    assert.deepEqual(
      on.lines().map(({ msg, code, connections }) => [msg, code, connections]),
      [['connection refused', 'TooManyConnections', 3]],
    )
    const [talk] = first
    talk?.socket.write(head('GET /healthz HTTP/1.1'))
    await untilTrue(() => talk?.heard().includes('HTTP/1.1 200') === true)
    for (const { socket } of first) socket.destroy()
  })
})
