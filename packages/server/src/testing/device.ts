/**
 * A device as the protocol describes it, written after the protocol and not after the agent: its own key, its own numbers, its
 * own chain. Unlike the agent it can be made to misbehave.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type {
  CommandOutcome,
  Enrolled,
  Facts,
  Link,
  LinkRequest,
  News,
  NewsItem,
  Reply,
  Statement,
} from '@countermand/contract'
import {
  CompactSign,
  calculateJwkThumbprint,
  compactVerify,
  exportJWK,
  generateKeyPair,
  importJWK,
  type CryptoKey,
  type JWK,
} from 'jose'
import { canonicalJson, sha256 } from './history.ts'
import { sendPart } from './parts.ts'
import { expectStatus, type Answer, type TestServer } from './server.ts'

/** What was said, byte for byte: it can be said again. */
export interface Said {
  readonly jws: string
  readonly statement: Statement
}

export interface Key {
  readonly secret: CryptoKey
  readonly open: JWK
  readonly thumbprint: string
}

export async function makeKey(): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA')
  const { kty, crv, x } = await exportJWK(publicKey)
  if (kty === undefined || crv === undefined || x === undefined) throw new Error('not an Ed25519 key')
  const open: JWK = { kty, crv, x }
  return { secret: privateKey, open, thumbprint: await calculateJwkThumbprint(open) }
}

export const signed = (key: Key, payload: object, header: object): Promise<string> =>
  new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader({ alg: 'EdDSA', ...header })
    .sign(key.secret)

/** The payload of a message that holds: signed by the key of this thumbprint, of this kind. */
export async function opened<Body>(jws: string, thumbprint: string, type: string): Promise<Body> {
  const [head = ''] = jws.split('.')
  const header: { typ?: string; jwk?: JWK } = JSON.parse(Buffer.from(head, 'base64url').toString())
  assert.ok(header.jwk, 'the header brings the key along')
  assert.equal(await calculateJwkThumbprint(header.jwk), thumbprint, 'it is the pinned key')
  assert.equal(header.typ, type)
  const { payload } = await compactVerify(jws, await importJWK(header.jwk, 'EdDSA'))
  const body: Body = JSON.parse(Buffer.from(payload).toString())
  return body
}

export interface EnrolmentToken {
  readonly server: string
  readonly orderKey: string
  readonly secret: string
}

export function readToken(text: string): EnrolmentToken {
  assert.ok(text.startsWith('cme1.'))
  const token: EnrolmentToken = JSON.parse(Buffer.from(text.slice(5), 'base64url').toString())
  return token
}

export const factsOf = (hostName: string): Facts => ({
  hostName,
  osPlatform: 'Linux',
  osVersion: null,
  osBuild: null,
  osArchitecture: '64-bit',
  osProcessor: 'x64',
  version: '12',
  agentVersion: '0.1.0',
  ipAddresses: [
    { ipAddress: '192.0.2.17', macAddress: '02AA00000017', type: 'Ethernet', operationalStatus: 'Up' },
  ],
})

export interface EnrolmentOptions {
  readonly name?: string
  readonly key?: Key
  /** The text of the token; a fresh one for a new device where none is given. */
  readonly token?: string
  readonly capabilities?: Statement['capabilities']
  readonly former?: string | null
  /** Whom it is addressed to, if not whom the token names. */
  readonly server?: string
}

export const able: Statement['capabilities'] = {
  LiveResponse: { able: true, commands: ['RunScript'] },
  Isolate: { able: true },
  Unisolate: { able: true },
}

/** The signed request of an enrolment. */
export async function enrolmentOf(
  server: TestServer,
  options: EnrolmentOptions = {},
): Promise<{ jws: string; key: Key; token: EnrolmentToken }> {
  const { name = 'ws-017', capabilities = able, former = null } = options
  const key = options.key ?? (await makeKey())
  const token = readToken(options.token ?? (await server.enrolmentToken()))
  const said = { protocol: 1, server: options.server ?? token.orderKey, secret: token.secret, former }
  const payload = { ...said, facts: factsOf(name), capabilities }
  const jws = await signed(key, payload, { typ: 'countermand-enrolment+jws', jwk: key.open })
  return { jws, key, token }
}

export const post = (server: TestServer, path: string, jws: string): Promise<Answer> =>
  server.ask({ method: 'POST', path, body: jws, headers: { 'content-type': 'application/jose' } })

/** Enrols and answers the device. */
export async function enrol(server: TestServer, options: EnrolmentOptions = {}): Promise<TestDevice> {
  const { jws, key, token } = await enrolmentOf(server, options)
  const answer = await post(server, '/device/enrol', jws)
  expectStatus(200, answer)
  const said = await opened<Enrolled>(answer.text, token.orderKey, 'countermand-enrolled+jws')
  assert.equal(said.key, key.thumbprint, 'the answer is to this key')
  const { name = 'ws-017', capabilities = able } = options
  return new TestDevice(
    server,
    { key, orderKey: token.orderKey, machineId: said.machineId, epoch: said.epoch },
    { name, capabilities },
  )
}

interface Identity {
  readonly key: Key
  readonly orderKey: string
  readonly machineId: string
  readonly epoch: string
}

type Result = NonNullable<CommandOutcome['result']>
type HeldState = Statement['held'][number]['state']

/** What a device remembers; a copy of it is a copied disk. */
interface Memory {
  seq: number
  digest: string
  epoch: string
  ticket: string
  serverHead: Reply['head'] | null
  news: readonly NewsItem[]
  lastNews: { readonly n: number; readonly digest: string }
  held: ReadonlyMap<string, HeldState>
}

export class TestDevice {
  readonly machineId: string
  readonly key: Key
  readonly orderKey: string
  /** Everything it has said, oldest first. */
  readonly said: Said[] = []
  capabilities: Statement['capabilities']
  /** How it says that it stands (`testing/standing.ts`). */
  posture: Statement['posture'] = { taken: 0, stands: 0, isolation: { action: null, type: 'None' } }
  name: string
  /** Where it sends to; another one after a restart. */
  server: TestServer
  private memory: Memory

  constructor(
    server: TestServer,
    { key, orderKey, machineId, epoch }: Identity,
    self: { name: string; capabilities: Statement['capabilities'] },
  ) {
    this.server = server
    this.machineId = machineId
    this.key = key
    this.orderKey = orderKey
    this.name = self.name
    this.capabilities = self.capabilities
    const digest = key.thumbprint
    const nothing = {
      epoch,
      ticket: '',
      serverHead: null,
      news: [],
      held: new Map<string, HeldState>(),
    }
    this.memory = { seq: 0, digest, lastNews: { n: 0, digest }, ...nothing }
  }

  /** A second device with the same key and the same memory. */
  copy(): TestDevice {
    const { key, orderKey, machineId, memory } = this
    const twin = new TestDevice(this.server, { key, orderKey, machineId, epoch: memory.epoch }, this)
    twin.memory = { ...this.memory }
    return twin
  }

  /** Its journal is gone; its key, its numbers and its chain are not. */
  forget(id: string): void {
    const held = new Map(this.memory.held)
    held.delete(id)
    this.memory = { ...this.memory, held }
  }

  hold(id: string, state: HeldState): void {
    this.memory = { ...this.memory, held: new Map([...this.memory.held, [id, state]]) }
  }

  holds(id: string): boolean {
    return this.memory.held.has(id)
  }

  /** Adds an item to its chained news; said with the next statement, and again until a reply acknowledges it. */
  tell(news: News): NewsItem {
    const { n, digest } = this.memory.lastNews
    const item = { n: n + 1, previous: digest, at: '2026-02-03T04:05:07.5Z', ...news }
    const lastNews = { n: item.n, digest: sha256(canonicalJson(item)) }
    this.memory = { ...this.memory, news: [...this.memory.news, item], lastNews }
    return item
  }

  /** The next statement, signed. `changes` make it one that a device should not make. */
  async say(changes: Partial<Statement> = {}, header: object = {}): Promise<Said> {
    const { seq, digest, epoch, serverHead, news, held } = this.memory
    const nonce = randomBytes(16).toString('base64url')
    const list = [...held].map(([id, state]) => ({ id, state }))
    const about = { protocol: 1, machineId: this.machineId, server: this.orderKey, bootId: 'boot-1' }
    // The head that the first item said again is chained to; the last item of all where there is none.
    const [first] = news
    const { lastNews } = this.memory
    const newsHead =
      first === undefined
        ? { sequence: lastNews.n, digest: lastNews.digest }
        : { sequence: first.n - 1, digest: first.previous }
    const order = { seq: seq + 1, previous: digest, nonce, epoch, serverHead, newsHead }
    const { capabilities, posture } = this
    const self = { facts: factsOf(this.name), capabilities, ...(posture && { posture }) }
    const statement: Statement = { ...about, ...order, news: [...news], held: list, ...self, ...changes }
    const jws = await signed(this.key, statement, {
      typ: 'countermand-statement+jws',
      kid: this.machineId,
      ...header,
    })
    this.memory = { ...this.memory, seq: statement.seq, digest: sha256(jws) }
    const said = { jws, statement }
    this.said.push(said)
    return said
  }

  send({ jws }: Said): Promise<Answer> {
    return post(this.server, '/device/sync', jws)
  }

  /** Sends, and checks that the answer is a reply to this very statement. */
  async exchange(said: Said): Promise<Reply> {
    const answer = await this.send(said)
    expectStatus(200, answer)
    const reply = await opened<Reply>(answer.text, this.orderKey, 'countermand-reply+jws')
    assert.equal(reply.nonce, said.statement.nonce, 'signed over the nonce of the statement')
    assert.equal(reply.machineId, this.machineId)
    return reply
  }

  /** One whole exchange: what is offered is held, what is final is dropped, what is acknowledged is said no more. */
  async sync(changes: Partial<Statement> = {}): Promise<Reply> {
    const reply = await this.exchange(await this.say(changes))
    this.obey(reply)
    return reply
  }

  /** Statement out, reply lost on its way back. */
  async syncInVain(): Promise<Said> {
    const said = await this.say()
    await this.exchange(said)
    return said
  }

  obey({ epoch, head, acknowledged, offers, finals, ticket }: Reply): void {
    for (const { id } of offers) this.hold(id, 'accepted')
    for (const id of finals) this.forget(id)
    const news = this.memory.news.filter(({ n }) => n > acknowledged)
    this.memory = { ...this.memory, epoch, ticket, serverHead: head, news }
  }

  start(id: string): void {
    this.hold(id, 'started')
    this.tell({ kind: 'started', action: id, commands: [outcome('Created')] })
  }

  finish(
    id: string,
    how: 'succeeded' | 'failed' | 'timed_out' = 'succeeded',
    result: Result | null = null,
  ): void {
    this.hold(id, 'over')
    const commands = [outcome(how === 'succeeded' ? 'Completed' : 'Failed', { result })]
    this.tell({ kind: 'finished', action: id, outcome: how, detail: null, commands })
  }

  /** Asks for a link with the ticket of its last reply. */
  ask(id: string, wanted: LinkRequest, ticket: string | null = this.ticket): Promise<Answer<Link>> {
    const path = `/device/actions/${id}/link`
    return this.server.ask({ method: 'POST', path, token: ticket, body: wanted })
  }

  async link(id: string, wanted: LinkRequest): Promise<string> {
    return expectStatus(200, await this.ask(id, wanted)).path
  }

  /** Brings the result of the first command, in one part. */
  async upload(id: string, content: string | Buffer, fileName = 'run.sh.json'): Promise<Result> {
    const bytes = Buffer.from(content)
    const part = { offset: 0, bytes, whole: bytes }
    const answer = await sendPart(this.server, await this.link(id, { result: 0 }), part)
    return { ...expectStatus(200, answer), fileName }
  }

  get ticket(): string {
    return this.memory.ticket
  }

  stop(id: string, proof: 'stopped' | 'swept' = 'stopped', residues: string[] = []): void {
    this.hold(id, 'over')
    this.tell({ kind: 'stopped', action: id, proof, residues, commands: [outcome('Failed')] })
  }

  refuseStart(id: string): void {
    this.hold(id, 'over')
    this.tell({ kind: 'refused_start', action: id, commands: [outcome('Created')] })
  }

  /** Takes a queued action to a place in its life, one exchange after the other. */
  async bring(id: string, to: 'offered' | 'accepted' | 'running' | 'settling' | 'succeeded'): Promise<void> {
    if (to === 'offered') return void (await this.syncInVain())
    await this.sync()
    await this.sync()
    if (to === 'accepted') return
    this.start(id)
    if (to === 'settling') this.tell({ kind: 'ended', action: id, commands: [outcome('Completed')] })
    if (to === 'succeeded') this.finish(id)
    await this.sync()
  }
}

export const outcome = (
  status: CommandOutcome['status'],
  more: Partial<CommandOutcome> = {},
): CommandOutcome => ({
  index: 0,
  status,
  startedAt: status === 'Created' ? null : '2026-02-03T04:06:10.420Z',
  endedAt: status === 'Created' ? null : '2026-02-03T04:06:21.800Z',
  errors: [],
  result: null,
  ...more,
})
