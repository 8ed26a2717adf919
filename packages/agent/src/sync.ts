/**
 * The one exchange with the server, one at a time. A statement is on disk before it is sent, and said again byte for byte until
 * it is answered; only the first reply to the latest nonce counts.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import {
  devicePaths,
  messageTypes,
  protocolVersion,
  type Capabilities,
  type ChainHead,
  type Facts,
  type Held,
  type Reply,
  type Statement,
} from '@countermand/contract'
import { bootId, bootSeconds } from './host/clock.ts'
import { writeDurably } from './host/files.ts'
import type { Identity } from './identity.ts'
import { readJson } from './journal.ts'
import { digestOf, type NewsLog } from './news.ts'
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

export interface Self {
  readonly held: readonly Held[]
  readonly facts: Facts
  readonly capabilities: Capabilities
}

export interface Answer {
  readonly reply: Reply
  /** When the nonce was first sent, by the clock that counts suspend; null when an earlier agent sent it. */
  readonly sentAt: number | null
}

/** The server has said, signed, that this device's history is not the one it has taken. Only a new enrolment helps. */
export class TwoHistories extends Error {}

export interface Sync {
  /** Throws when there was no answer that counts; the same statement is then said again by the next call. */
  exchange(self: Self): Promise<Answer>
  /** The orders of the last answer are in the journal: its nonce is spent. */
  spent(reply: Reply): Promise<void>
  readonly acknowledged: number
  readonly epoch: string | null
  readonly serverHead: ChainHead | null
}

export async function openSync(dataFolder: string, identity: Identity): Promise<{ sync: Sync; attach: (news: NewsLog) => void }> {
  const file = join(dataFolder, 'sync.json')
  const start = { seq: 0, digest: identity.keyThumbprint, pending: null, epoch: null, serverHead: null, acknowledged: 0 }
  let state: State = (await readJson<State>(file)) ?? start
  let sentAt: number | null = null
  let news: NewsLog | null = null
  const save = async (next: State): Promise<void> => {
    await writeDurably(file, JSON.stringify(next))
    state = next
  }
  const build = async (self: Self): Promise<{ jws: string; nonce: string }> => {
    const nonce = randomBytes(16).toString('base64url')
    const { machineId, orderKey } = identity
    const { epoch, serverHead, digest } = state
    const about = { protocol: protocolVersion, machineId, server: orderKey, seq: state.seq + 1, previous: digest, nonce }
    const said = { news: [...(news?.pending() ?? [])], held: [...self.held], facts: self.facts, capabilities: self.capabilities }
    const statement: Statement = { ...about, epoch, serverHead, bootId: bootId(), ...said }
    const jws = await identity.sign(statement, messageTypes.statement)
    await save({ ...state, seq: state.seq + 1, digest: digestOf(jws), pending: { jws, nonce } })
    sentAt = bootSeconds()
    return { jws, nonce }
  }
  const sync: Sync = {
    get acknowledged() {
      return state.acknowledged
    },
    get epoch() {
      return state.epoch
    },
    get serverHead() {
      return state.serverHead
    },
    exchange: async (self) => {
      const { jws, nonce } = state.pending ?? (await build(self))
      const { orderKey, machineId } = identity
      const text = await post(identity.server + devicePaths.sync, jws)
      const reply = await openReply(text, { type: messageTypes.reply, orderKey, machineId, nonce })
      if (reply === null) throw new Error('the reply is not signed by the order key over this nonce')
      if (reply.seq > state.seq) throw new TwoHistories('The server has taken later statements than this device has made.')
      return { reply, sentAt }
    },
    spent: async (reply) => {
      const { epoch, head, acknowledged } = reply
      await save({ ...state, pending: null, epoch, serverHead: head, acknowledged: Math.max(acknowledged, state.acknowledged) })
    },
  }
  return { sync, attach: (log) => void (news = log) }
}

async function post(url: string, body: string): Promise<string> {
  const headers = { 'content-type': 'application/jose' }
  const response = await fetch(url, { method: 'POST', body, headers, signal: AbortSignal.timeout(30_000) })
  const text = await response.text()
  if (response.status === 409) throw new TwoHistories(text)
  if (!response.ok) throw new Error(`the server answered ${response.status}: ${text.slice(0, 500)}`)
  return text
}
