/** Files there and back over a way that breaks, written after `docs/protocol.md`: the server here is as unfriendly as a test wants. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { inFolder, newId } from './testing/fakes.ts'
import { openTransfer, type Transfer } from './transfer.ts'

const mebibyte = 1024 * 1024
const never = new AbortController().signal
const hexOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const base64Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64')
const bytesOf = (size: number, seed = 7): Buffer =>
  Buffer.from(Array.from({ length: size }, (_, n) => (n * seed) % 251))

interface Asked {
  readonly method: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** What the server does with the next transfer; undefined: what it should. */
type Mood = (asked: Asked, response: ServerResponse) => boolean

interface Way {
  readonly transfer: Transfer
  readonly asked: Asked[]
  /** One for each request, in order; after the last all goes well. */
  readonly moods: Mood[]
  /** What the server has of the result. */
  readonly kept: { bytes: Buffer; isWhole: boolean }
  readonly links: () => number
  readonly renewals: () => number
}

async function withWay(
  file: Buffer,
  play: (way: Way) => Promise<void>,
  firstTicket = 'fresh',
): Promise<void> {
  const asked: Asked[] = []
  const moods: Mood[] = []
  const kept: Way['kept'] = { bytes: Buffer.alloc(0), isWhole: false }
  let [links, renewals] = [0, 0]
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const one = { method: request.method ?? '', headers: request.headers, body: await read(request) }
    if (request.url?.endsWith('/link')) {
      const status = one.headers.authorization === 'Bearer stale' ? 401 : 200
      if (status === 200) links += 1
      response.writeHead(status).end(JSON.stringify({ path: '/device/transfer/sealed' }))
      return
    }
    asked.push(one)
    if (moods.shift()?.(one, response)) return
    if (one.method === 'GET') give(file, one, response)
    else take(kept, one, response)
  }
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  let ticket = firstTicket
  const transfer = openTransfer({
    server: `http://127.0.0.1:${port}`,
    ticket: () => ticket,
    renew: () => {
      renewals += 1
      ticket = 'fresh'
    },
  })
  try {
    await play({ transfer, asked, moods, kept, links: () => links, renewals: () => renewals })
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function give(file: Buffer, { headers }: Asked, response: ServerResponse): void {
  const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': file.length - from }).end(file.subarray(from))
}

function take(kept: Way['kept'], { method, headers, body }: Asked, response: ServerResponse): void {
  const stands = (): Record<string, string> => ({
    'upload-offset': String(kept.bytes.length),
    'upload-complete': kept.isWhole ? '?1' : '?0',
    ...(kept.isWhole && { 'repr-digest': `sha-256=:${base64Of(kept.bytes)}:` }),
  })
  if (method === 'HEAD') return void response.writeHead(204, stands()).end()
  const offset = Number(headers['upload-offset'])
  assert.equal(headers['content-digest'], `sha-256=:${base64Of(body)}:`)
  if (offset === 0) Object.assign(kept, { bytes: Buffer.alloc(0), isWhole: false })
  if (offset !== kept.bytes.length || kept.isWhole) return void response.writeHead(409, stands()).end('{}')
  kept.bytes = Buffer.concat([kept.bytes, body])
  kept.isWhole = headers['upload-complete'] === '?1'
  if (kept.isWhole) assert.equal(headers['repr-digest'], `sha-256=:${base64Of(kept.bytes)}:`)
  response.writeHead(kept.isWhole ? 200 : 204, stands()).end(kept.isWhole ? '{}' : undefined)
}

/** What was asked of a result, each with its place. */
const offsets = ({ asked }: Way): readonly string[] =>
  asked.map(({ method, headers }) => `${method} ${String(headers['upload-offset'] ?? '')}`.trim())

/** As it should be. */
const asItShould: Mood = () => false
const breaks: Mood = (_asked, response) => {
  response.destroy()
  return true
}
const answers =
  (status: number): Mood =>
  (_asked, response) => {
    response.writeHead(status).end('{"error":{"code":"X"}}')
    return true
  }

async function* emptiness(): AsyncIterable<Uint8Array> {
  yield await Promise.resolve(Buffer.alloc(0))
}

describe('a file that comes', () => {
  const file = bytesOf(300_000)
  const fetched = (
    { transfer }: Way,
    folder: string,
    sha256 = hexOf(file),
    size = file.length,
  ): Promise<string> => transfer.fetch({ actionId: newId(), sha256, size, name: 'tool.sh', folder }, never)

  test('is on disk under its own name, and is not fetched again; its ticket is renewed where it is stale', () =>
    inFolder((folder) =>
      withWay(
        file,
        async (way) => {
          const place = await fetched(way, folder)
          assert.ok(readFileSync(place).equals(file))
          assert.equal(await fetched(way, folder), place)
          assert.deepEqual(
            [way.asked.length, way.renewals(), readdirSync(join(folder, 'files'))],
            [1, 1, ['tool.sh']],
          )
        },
        'stale',
      ),
    ))

  test('goes on where the connection broke', () =>
    inFolder((folder) =>
      withWay(file, async (way) => {
        way.moods.push((_asked, response) => {
          response.writeHead(200, { 'content-length': file.length }).write(file.subarray(0, 100_000), () => {
            setTimeout(() => response.destroy(), 50)
          })
          return true
        })
        assert.ok(readFileSync(await fetched(way, folder)).equals(file))
        assert.match(way.asked[1]?.headers.range ?? '', /^bytes=[1-9]\d*-$/)
      }),
    ))

  test.each([
    ['another one', hexOf(Buffer.from('x')), file.length, /not the one that was pinned/],
    ['a longer one', hexOf(file), file.length - 1, /longer than the one that was pinned/],
  ])('is refused when it is %s', (_what, sha256, size, words) =>
    inFolder((folder) =>
      withWay(file, async (way) => {
        await assert.rejects(fetched(way, folder, sha256, size), words)
        assert.equal(readdirSync(join(folder, 'files')).includes('tool.sh'), false)
      }),
    ),
  )

  test('that the server does not have is given up at once, and a link that is over is asked for anew', () =>
    inFolder((folder) =>
      withWay(file, async (way) => {
        way.moods.push(answers(403), answers(503), answers(404))
        await assert.rejects(fetched(way, folder), /The server refused the file/)
        assert.deepEqual([way.asked.length, way.links()], [3, 2])
      }),
    ))
})

describe('a result that goes', () => {
  const file = bytesOf(2 * mebibyte + 300_000)
  let begun = 0
  async function* content(): AsyncIterable<Uint8Array> {
    begun += 1
    for (let at = 0; at < file.length; at += 70_000)
      yield await Promise.resolve(file.subarray(at, at + 70_000))
  }
  const sent = async ({ transfer, kept }: Way): Promise<void> => {
    begun = 0
    const stored = await transfer.deliver({ actionId: newId(), index: 0, content }, never)
    assert.deepEqual(stored, { sha256: hexOf(file), size: file.length })
    assert.ok(kept.isWhole && kept.bytes.equals(file))
  }
  const [second, third] = [`PATCH ${mebibyte}`, `PATCH ${2 * mebibyte}`]

  test('goes in parts', () =>
    withWay(file, async (way) => {
      await sent(way)
      assert.deepEqual(offsets(way), ['PATCH 0', second, third])
    }))

  test('may be empty', () =>
    withWay(file, async ({ transfer, kept }) => {
      const stored = await transfer.deliver({ actionId: newId(), index: 0, content: emptiness }, never)
      assert.deepEqual([stored.size, kept.isWhole], [0, true])
    }))

  test('sends a part again that was lost, spoilt or refused for now, after a look at what has arrived', () =>
    withWay(file, async (way) => {
      way.moods.push(asItShould, breaks, asItShould, answers(400), asItShould, answers(503))
      await sent(way)
      assert.deepEqual(offsets(way), [
        'PATCH 0',
        second,
        'HEAD',
        second,
        'HEAD',
        second,
        'HEAD',
        second,
        third,
      ])
      assert.equal(begun, 1)
    }))

  test('does not send a part again whose answer alone was lost', () =>
    withWay(file, async (way) => {
      way.moods.push(asItShould, (asked, response) => {
        take(way.kept, asked, { writeHead: () => ({ end: () => undefined }) } as never)
        response.destroy()
        return true
      })
      await sent(way)
      assert.deepEqual(offsets(way), ['PATCH 0', second, 'HEAD', third])
    }))

  test('is done when the answer to the last part was lost', () =>
    withWay(file, async (way) => {
      way.moods.push(asItShould, asItShould, (asked, response) => {
        take(way.kept, asked, { writeHead: () => ({ end: () => undefined }) } as never)
        response.destroy()
        return true
      })
      await sent(way)
      assert.deepEqual(offsets(way), ['PATCH 0', second, third, 'HEAD'])
    }))

  test('asks for the end alone where all has arrived and could not be kept as a whole', () =>
    withWay(file, async (way) => {
      way.moods.push(asItShould, asItShould, ({ body }, response) => {
        way.kept.bytes = Buffer.concat([way.kept.bytes, body])
        response.writeHead(503).end('{}')
        return true
      })
      await sent(way)
      assert.deepEqual(offsets(way), ['PATCH 0', second, third, 'HEAD', `PATCH ${file.length}`])
      assert.equal(way.asked.at(-1)?.body.length, 0)
    }))

  test('begins anew where the server has lost what it had', () =>
    withWay(file, async (way) => {
      way.moods.push(asItShould, asItShould, (_asked, response) => {
        way.kept.bytes = Buffer.alloc(0)
        response.destroy()
        return true
      })
      await sent(way)
      assert.equal(begun, 2)
      assert.deepEqual(offsets(way), ['PATCH 0', second, third, 'HEAD', 'PATCH 0', second, third])
    }))

  test.each([404, 413])('is given up at %d', (status) =>
    withWay(file, async (way) => {
      way.moods.push(answers(status))
      await assert.rejects(sent(way), /The server refused the file/)
      assert.equal(way.asked.length, 1)
    }),
  )

  test('ends when it is told to', () =>
    withWay(file, async (way) => {
      const stop = new AbortController()
      way.moods.push(() => {
        setTimeout(() => stop.abort(new Error('told to end')), 20)
        return true
      })
      const sending = way.transfer.deliver({ actionId: newId(), index: 0, content }, stop.signal)
      await assert.rejects(sending, /told to end/)
    }))
})
