/**
 * The one exchange with the server, one at a time. A statement is on disk before it is sent, and said again byte for byte until
 * it is answered; only the first reply to the latest nonce counts.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import {
  devicePaths,
  isSpoken,
  messageTypes,
  protocolVersion,
  type Capabilities,
  type ChainHead,
  type Facts,
  type Held,
  type NewsItem,
  type PostureReports,
  type Progress,
  type Reply,
  type Statement,
} from '@countermand/contract'
import { ofItsOwn, timeLimit } from './connection.ts'
import { bootId, bootSeconds } from './host/clock.ts'
import { removeDrafts, syncFolder, writeDurably } from './host/files.ts'
import type { Identity } from './identity.ts'
import { readJson } from './journal.ts'
import { killPoint } from './kill-points.ts'
import { digestOf } from './news.ts'
import { openReply } from './verify.ts'

interface State {
  readonly seq: number
  /** Digest of the statement with that number; of the key before the first. */
  readonly digest: string
  /** The statement that has not been answered yet. */
  readonly pending: { readonly jws: string; readonly nonce: string } | null
  readonly epoch: string | null
  readonly serverHead: ChainHead | null
  readonly acknowledged: number
}

/** What a statement is made of: read when it is built, and not again while it is said again. */
export interface Self {
  readonly news: readonly NewsItem[]
  readonly newsHead: ChainHead
  readonly held: readonly Held[]
  readonly progress: readonly Progress[]
  readonly postures: PostureReports
  readonly facts: Facts
  readonly capabilities: Capabilities
}

export interface Answer {
  readonly reply: Reply
  /** When the nonce was first sent, by the clock that counts suspend; null when an earlier agent sent it. */
  readonly sentAt: number | null
  /** The statement had been made for an earlier try: what has happened since is not in it. */
  readonly isRepeated: boolean
}

/** The server has said, signed, that this device's history is not the one it has taken. Only a new enrolment helps. */
export class TwoHistories extends Error {}

/** The server does not take what this device's key signs: it was revoked, or the device retired or offboarded there. */
export class KeyRefused extends Error {}

/** One device's side of the exchange, over one file. */
export class Sync {
  private readonly file: string
  private readonly identity: Identity
  private state: State
  private sentAt: number | null = null

  private constructor(file: string, identity: Identity, state: State) {
    this.file = file
    this.identity = identity
    this.state = state
  }

  static async open(dataFolder: string, identity: Identity): Promise<Sync> {
    await removeDrafts(dataFolder)
    await syncFolder(dataFolder)
    const file = join(dataFolder, `sync-${identity.keyThumbprint.slice(0, 16)}.json`)
    const start = {
      seq: 0,
      digest: identity.keyThumbprint,
      pending: null,
      epoch: identity.epoch,
      serverHead: null,
      acknowledged: 0,
    }
    return new Sync(file, identity, (await readJson<State>(file)) ?? start)
  }

  /** Number of the last news item that the server has. */
  get acknowledged(): number {
    return this.state.acknowledged
  }

  /** How much of the server's work this device has seen. */
  get seen(): number {
    return this.state.serverHead?.sequence ?? 0
  }

  get epoch(): string | null {
    return this.state.epoch
  }

  /** Throws when there was no answer that counts; the same statement is then said again by the next call. */
  async exchange(self: () => Promise<Self>): Promise<Answer> {
    const isRepeated = this.state.pending !== null
    const { jws, nonce } = this.state.pending ?? (await this.build(await self()))
    const { orderKey, machineId, server } = this.identity
    const text = await post(server + devicePaths.sync, jws)
    const reply = await openReply(text, { type: messageTypes.reply, orderKey, machineId, nonce })
    if (reply === null) throw new Error('the reply is not signed by the order key over this nonce')
    if (!isSpoken(reply.protocol))
      throw new Error(`the server speaks protocol ${reply.protocol}, this agent ${protocolVersion}`)
    if (reply.seq > this.state.seq) {
      // What is said next is a new statement, by which the server sees two histories too, and raises its alarm.
      await this.save({ ...this.state, pending: null })
      throw new TwoHistories('The server has taken later statements than this device has made.')
    }
    return { reply, sentAt: this.sentAt, isRepeated }
  }

  /** The orders of the last answer are in the journal: its nonce is spent. */
  async spent({ epoch, head, acknowledged }: Reply): Promise<void> {
    const upTo = Math.max(acknowledged, this.state.acknowledged)
    await this.save({ ...this.state, pending: null, epoch, serverHead: head, acknowledged: upTo })
  }

  /** On disk before it is sent: a number is never used for two texts. */
  private async build({ news, progress, ...said }: Self): Promise<{ jws: string; nonce: string }> {
    const { machineId, orderKey } = this.identity
    const { epoch, serverHead, digest: previous } = this.state
    const seq = this.state.seq + 1
    const nonce = randomBytes(16).toString('base64url')
    const about = { protocol: protocolVersion, machineId, server: orderKey, seq, previous, nonce }
    const known = { epoch, serverHead, bootId: bootId() }
    const lists = { held: [...said.held], news: [...news] }
    const statement: Statement = {
      ...about,
      ...known,
      ...said,
      ...lists,
      ...(progress.length > 0 && { progress: progress.slice(0, 100) }),
    }
    const jws = await this.identity.sign(statement, messageTypes.statement)
    await this.save({ ...this.state, seq, digest: digestOf(jws), pending: { jws, nonce } })
    killPoint('statement-saved')
    this.sentAt = bootSeconds()
    return { jws, nonce }
  }

  private async save(next: State): Promise<void> {
    await writeDurably(this.file, JSON.stringify(next))
    this.state = next
  }
}

async function post(url: string, body: string): Promise<string> {
  const headers = { 'content-type': 'application/jose', ...ofItsOwn }
  const response = await fetch(url, { method: 'POST', body, headers, signal: timeLimit(body.length) })
  const text = await response.text()
  if (response.status === 409) throw new TwoHistories(text)
  const said = `the server answered ${response.status}: ${text.slice(0, 500)}`
  // In the server's own words: what somebody between has to say by that number is no answer.
  if (response.status === 401 && text.startsWith('{"error":{"code":"Unauthorized"'))
    throw new KeyRefused(said)
  if (!response.ok) throw new Error(said)
  return text
}
