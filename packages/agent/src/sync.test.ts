/** One exchange after the other with a server that the test plays: lost, late, repeated and foreign answers. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { uptime } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Statement, devicePaths, fits, messageTypes, type NewsItem, type Reply } from '@countermand/contract'
import { CompactSign, exportJWK, generateKeyPair } from 'jose'
import { describe, test } from 'vitest'
import { readIdentity } from './identity.ts'
import { openLoop, type Loop } from './loop.ts'
import { openNews } from './news.ts'
import { Sync, TwoHistories, type Answer, type Self } from './sync.ts'
import { facts, inFolder, makeOrderKey, newId, replyOf, until, type OrderKey } from './testing/fakes.ts'

const machineId = 'd'.repeat(40)
const self: Self = {
  news: [],
  progress: [],
  postures: {},
  newsHead: { sequence: 0, digest: 'G'.repeat(43) },
  held: [],
  facts,
  capabilities: {},
}
const asSelf = (): Promise<Self> => Promise.resolve(self)

type Respond = (statement: Statement) => Promise<{ status?: number; text: string }> | 'hang up'

/** A server that says what the test tells it to. */
class PlayedServer {
  readonly key: OrderKey
  /** Everything that was said to it, as it came. */
  readonly heard: string[] = []
  respond: Respond = (statement) => this.answer(statement)
  private readonly http: Server

  private constructor(key: OrderKey) {
    this.key = key
    this.http = createServer((request, response) => void this.hear(request, response))
  }

  private async hear(request: IncomingMessage, response: ServerResponse): Promise<void> {
    assert.equal(request.url, devicePaths.sync)
    let body = ''
    for await (const chunk of request) body += String(chunk)
    this.heard.push(body)
    const answer = this.respond(statementIn(body))
    if (answer === 'hang up') return void request.socket.destroy()
    const { status = 200, text } = await answer
    response.writeHead(status).end(text)
  }

  static async open(): Promise<PlayedServer> {
    const server = new PlayedServer(await makeOrderKey())
    server.http.listen(0, '127.0.0.1')
    await once(server.http, 'listening')
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`
  }

  get statements(): readonly Statement[] {
    return this.heard.map(statementIn)
  }

  async answer({ nonce, seq }: Statement, given: Partial<Reply> = {}): Promise<{ text: string }> {
    return { text: await this.key.sign(replyOf({ machineId, nonce, seq, ...given })) }
  }

  close(): void {
    this.http.closeAllConnections()
    this.http.close()
  }
}

function statementIn(jws: string): Statement {
  const statement: unknown = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString())
  assert.ok(fits(Statement, statement), 'it is a statement')
  return statement
}

interface Trial {
  readonly folder: string
  readonly server: PlayedServer
  /** The device's side; again, it is the next agent's. */
  readonly open: () => Promise<Sync>
}

const withServer = (run: (trial: Trial) => Promise<void>): Promise<void> =>
  inFolder(async (folder) => {
    const server = await PlayedServer.open()
    const { privateKey } = await generateKeyPair('EdDSA', { extractable: true })
    const key = await exportJWK(privateKey)
    const stored = { machineId, server: server.url, orderKey: server.key.thumbprint, key, epoch: 'epoch-0' }
    writeFileSync(join(folder, 'identity.json'), JSON.stringify(stored))
    const open = async (): Promise<Sync> => {
      const identity = await readIdentity(folder)
      assert.ok(identity)
      return Sync.open(folder, identity)
    }
    try {
      await run({ folder, server, open })
    } finally {
      server.close()
    }
  })

async function exchange(sync: Sync): Promise<Reply> {
  const { reply } = await sync.exchange(asSelf)
  await sync.spent(reply)
  return reply
}

describe('statements', () => {
  test('are numbered from 1 and chained from the key, each with a nonce of its own, over restarts', () =>
    withServer(async ({ server, open, folder }) => {
      const first = await open()
      await exchange(first)
      await exchange(first)
      const second = await open()
      await exchange(second)

      const { statements, heard } = server
      assert.deepEqual(
        statements.map(({ seq }) => seq),
        [1, 2, 3],
      )
      const digests = heard.map((jws) => createHash('sha256').update(jws).digest('base64url'))
      const key = (await readIdentity(folder))?.keyThumbprint
      assert.deepEqual(
        statements.map(({ previous }) => previous),
        [key, ...digests.slice(0, 2)],
      )
      assert.equal(new Set(statements.map(({ nonce }) => nonce)).size, 3)
      assert.ok(
        statements.every((one) => one.machineId === machineId && one.server === server.key.thumbprint),
      )
    }))

  test('carry what the last accepted reply said, before it what the enrolment said: epoch and head', () =>
    withServer(async ({ server, open }) => {
      const head = { sequence: 17, digest: 'B'.repeat(43) }
      server.respond = (statement) => server.answer(statement, { epoch: 'epoch-7', head, acknowledged: 4 })
      await exchange(await open())
      const next = await open()
      await exchange(next)
      const [first, second] = server.statements
      assert.deepEqual([first?.epoch, first?.serverHead], ['epoch-0', null])
      assert.deepEqual([second?.epoch, second?.serverHead], ['epoch-7', head])
      assert.deepEqual([next.epoch, next.seen, next.acknowledged], ['epoch-7', 17, 4])
    }))

  test('are said again byte for byte until they are answered, by the next agent too', () =>
    withServer(async ({ server, open }) => {
      const usual = server.respond
      server.respond = () => 'hang up'
      const first = await open()
      await assert.rejects(first.exchange(asSelf))
      await assert.rejects(first.exchange(asSelf))
      const second = await open()
      await assert.rejects(second.exchange(asSelf))
      server.respond = usual
      const { isRepeated, sentAt } = await second.exchange(asSelf)

      assert.equal(new Set(server.heard).size, 1, 'one text')
      assert.equal(isRepeated, true)
      assert.equal(sentAt, null, 'who did not send it does not know since when it is under way')
    }))

  test('say when they were sent the first time, not the last', () =>
    withServer(async ({ server, open }) => {
      const usual = server.respond
      server.respond = () => 'hang up'
      const sync = await open()
      const before = uptime()
      await assert.rejects(sync.exchange(asSelf))
      const after = uptime()
      await pause(300)
      server.respond = usual
      const { sentAt } = await sync.exchange(asSelf)
      assert.ok(sentAt !== null && sentAt >= before && sentAt <= after)
    }))
})

describe('an answer counts only if it is the first to the latest nonce', () => {
  const refusedAnswers: [string, (server: PlayedServer, earlier: string) => Respond][] = [
    ['one to an older nonce', (_, earlier) => async () => ({ text: earlier })],
    [
      'one by another key',
      () =>
        async ({ nonce }) =>
          foreign(replyOf({ machineId, nonce, seq: 2 })),
    ],
    ['one for another device', (server) => (said) => server.answer(said, { machineId: 'e'.repeat(40) })],
    [
      'one of another type',
      (server) =>
        async ({ nonce }) => ({
          text: await server.key.sign(replyOf({ machineId, nonce }), messageTypes.enrolled),
        }),
    ],
    ['an error', () => async () => ({ status: 503, text: 'later' })],
    ['a page of a proxy', () => async () => ({ text: '<html>please sign in</html>' })],
  ]
  test.each(refusedAnswers)('%s is refused, and changes nothing', (_, respond) =>
    withServer(async ({ server, open }) => {
      const sync = await open()
      let earlier = ''
      server.respond = async (statement) => {
        const answer = await server.answer(statement)
        earlier = answer.text
        return answer
      }
      await exchange(sync)
      server.respond = respond(server, earlier)
      await assert.rejects(sync.exchange(asSelf))

      server.respond = (statement) => server.answer(statement, { epoch: 'epoch-2' })
      await exchange(sync)
      const [, second, third] = server.heard
      assert.equal(third, second, 'the same statement was said again')
      assert.equal(sync.epoch, 'epoch-2')
    }),
  )

  test('the same reply a second time is one to an older nonce', () =>
    withServer(async ({ server, open }) => {
      const sync = await open()
      const texts: string[] = []
      server.respond = async (statement) => {
        if (texts.length === 0) texts.push((await server.answer(statement, { acknowledged: 1 })).text)
        return { text: texts[0] ?? '' }
      }
      await exchange(sync)
      await assert.rejects(sync.exchange(asSelf), /not signed by the order key over this nonce/)
    }))

  test('a server that has taken more than was said, or says so itself: two histories', () =>
    withServer(async ({ server, open }) => {
      const sync = await open()
      server.respond = (statement) => server.answer(statement, { seq: statement.seq + 1 })
      await assert.rejects(sync.exchange(asSelf), TwoHistories)
      server.respond = async () => ({ status: 409, text: 'copied' })
      await assert.rejects(sync.exchange(asSelf), TwoHistories)
    }))
})

const ownWords = '{"error":{"code":"Unauthorized","message":"This device was offboarded here."}}'

/** What a loop needs, where nothing comes of it. */
const quiet = {
  log: () => undefined,
  isOver: () => Promise.resolve(false),
  answered: () => undefined,
} as const

test('news told while an unanswered statement is said again follows at once, not after the next idle pause', () =>
  withServer(async ({ server, open, folder }) => {
    const sync = await open()
    const news = await openNews(folder, 'G'.repeat(43), 0)
    const stop = new AbortController()
    const loop = openLoop({
      ...quiet,
      sync,
      self: () => Promise.resolve({ ...self, news: news.pending() }),
      hasNews: () => news.pending().length > 0,
      obey: ({ reply }) => news.acknowledge(reply.acknowledged),
    })
    let known: readonly NewsItem[] = []
    server.respond = () => 'hang up'
    const running = loop.run(stop.signal)
    await until('a statement that gets no answer', () => server.heard.length > 0)
    await news.tell({ kind: 'started', action: newId(), commands: [] })
    loop.soon()
    server.respond = (statement) => {
      known = [...known, ...statement.news]
      return server.answer(statement, { acknowledged: known.length })
    }
    // Idle is 24 s at least; the waiting here gives up before.
    await until('the news to arrive', () => known.length === 1)
    stop.abort()
    await running
  }))

test('what a reply has brought about and what follows from it are said in one statement', () =>
  withServer(async ({ server, open, folder }) => {
    const sync = await open()
    const news = await openNews(folder, 'G'.repeat(43), 0)
    const stop = new AbortController()
    const action = newId()
    const orders = [
      // Nobody asks for a sync for the sake of the first word; the end does, a moment later.
      async () => {
        await news.tell({ kind: 'cancel_acknowledged', action })
        const over = (): Promise<void> => news.tell({ kind: 'refused_start', action, commands: [] })
        setTimeout(() => void over().then(() => loop.soon()), 10)
      },
      () => news.tell({ kind: 'cannot_stop', action, detail: 'for the test' }),
    ]
    const parts = {
      ...quiet,
      sync,
      self: () => Promise.resolve({ ...self, news: news.pending() }),
      hasNews: () => news.pending().length > 0,
      obey: async ({ reply }: Answer) => {
        await news.acknowledge(reply.acknowledged)
        await orders.shift()?.()
      },
    }
    // Long enough for a slow disk; who has an end to tell waits for nothing.
    const loop: Loop = openLoop(parts, 500)
    const said: (readonly string[])[] = []
    server.respond = (statement) => {
      said.push(statement.news.map(({ kind }) => kind))
      return server.answer(statement, { acknowledged: statement.news.at(-1)?.n ?? 0 })
    }
    const running = loop.run(stop.signal)
    // A word that nothing follows is said all the same, and long before the next idle pause is over.
    await until('both to arrive', () => said.length >= 3)
    assert.deepEqual(said.slice(0, 3), [[], ['cancel_acknowledged', 'refused_start'], ['cannot_stop']])
    stop.abort()
    await running
  }))

test.each([
  ['in the server’s own words ends it, once there is nothing more to say', ownWords, true, true],
  ['ends nothing while there is', ownWords, false, false],
  ['by somebody between ends nothing', '<h1>401</h1>', true, false],
] as const)('a key that is not taken %s', (_name, text, isAllSaid, ends) =>
  withServer(async ({ server, open }) => {
    const stop = new AbortController()
    const asked: boolean[] = []
    const loop = openLoop({
      sync: await open(),
      log: () => undefined,
      self: asSelf,
      hasNews: () => false,
      isOver: (isRefused) => Promise.resolve(asked.push(isRefused) > 0 && isRefused && isAllSaid),
      answered: () => undefined,
      obey: () => Promise.resolve(),
    })
    server.respond = async () => ({ status: 401, text })
    const running = loop.run(stop.signal)
    if (ends) await running
    await until('it to be asked', () => server.heard.length > (ends ? 0 : 1))
    assert.deepEqual([...new Set(asked)], text === ownWords ? [true] : [])
    stop.abort()
    await running
  }),
)

async function foreign(reply: Reply): Promise<{ text: string }> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA')
  const { kty, crv, x } = await exportJWK(publicKey)
  const header = {
    alg: 'EdDSA',
    typ: messageTypes.reply,
    jwk: { kty: kty ?? '', crv: crv ?? '', x: x ?? '' },
  }
  const jws = new CompactSign(Buffer.from(JSON.stringify(reply))).setProtectedHeader(header)
  return { text: await jws.sign(privateKey) }
}
