/** The way between device and server, in the hands of the script: it loses, delays, doubles, and says again what it has heard. */
import { devicePaths, type Reply, type Statement } from '@countermand/contract'
import type { Turns } from './turns.ts'

export interface Answered {
  readonly status: number
  readonly text: string
  /** What a good answer to a statement says. */
  readonly reply?: Reply
}

/** A statement, as anybody may have heard it. */
export interface Said {
  readonly jws: string
  readonly nonce: string
  /** The key that the device had by then: under another one it is another incarnation. */
  readonly key: string
  readonly firstSentAt: number
}

/** A statement on its way, then its answer on the way back. */
interface Passage {
  readonly statement: Said
  answer: Answered | null
  /** Who waits at the device's end; null once that connection is gone. */
  connection: PromiseWithResolvers<Response> | null
}

export interface NetworkParts {
  readonly turns: Turns
  readonly bootSeconds: () => number
  /** The one in the library. */
  readonly file: Buffer
  /** The device's own, public half. */
  readonly key: () => string
  readonly enrol: (jws: string) => Promise<Answered>
  /** The device takes this for the answer to what it has said. */
  readonly arrived: (reply: Reply, sentAt: number) => void
}

/** What a signed text says, whether or not the signature holds. */
export const bodyOf = (jws: string): unknown => {
  const [, payload = ''] = jws.split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString())
}

export const textOf = ({ body }: RequestInit): string => {
  if (typeof body !== 'string') throw new Error('That is no text.')
  return body
}

/** As much of a response as the agent looks at. */
const response = ({ status, text }: Answered): Response => {
  const read = { text: async () => text, json: async (): Promise<unknown> => JSON.parse(text) }
  const body = Object.assign([Buffer.from(text)], { cancel: async () => undefined })
  return { status, ok: status < 400, headers: new Headers(), body, ...read } as unknown as Response
}

export class Network {
  passages: Passage[] = []
  /** Everything ever heard, for who has recorded it. */
  readonly statements: Said[] = []
  readonly replies: Answered[] = []
  /** So many transfers will break off. */
  failing = 0
  /** The last enrolment came to nothing for reasons of the outside, so that the agent gave it up. */
  hasLostEnrolment = false
  private stream: Stream | null = null
  private readonly parts: NetworkParts

  constructor(parts: NetworkParts) {
    this.parts = parts
  }

  /** What the agent takes for `fetch`. */
  readonly fetch = (url: string, init: RequestInit = {}): Promise<Response> => {
    const path = new URL(url).pathname
    if (path === devicePaths.sync) return this.say(textOf(init), init.signal)
    if (path === devicePaths.wake) return Promise.resolve(this.listen(init.signal))
    if (path === devicePaths.enrol) return this.enrol(textOf(init))
    return this.parts.turns.take(`transfer ${init.method}`, () => this.transfer(init))
  }

  /** Statements that have not reached the server. */
  asking(): readonly Passage[] {
    return this.passages.filter(({ answer }) => answer === null)
  }

  /** The passage whose answer the device waits for. */
  live(): Passage | null {
    return this.passages.find(({ connection }) => connection !== null) ?? null
  }

  /** The device reads an answer: its own, or another one that somebody has put in its place. */
  answer(passage: Passage, answer: Answered): void {
    const { connection, statement } = passage
    this.passages = this.passages.filter((other) => other !== passage)
    if (connection === null) return
    if (answer.reply?.nonce === statement.nonce) this.parts.arrived(answer.reply, statement.firstSentAt)
    connection.resolve(response(answer))
  }

  /** A connection breaks, and what was in it is lost. */
  lose(passage: Passage): void {
    this.passages = this.passages.filter((other) => other !== passage)
    passage.connection?.reject(new Error('the connection was reset'))
  }

  /** Nobody is there any more at the device's end; what has been sent is on its way all the same. */
  hangUp(): void {
    for (const passage of this.passages) passage.connection = null
    this.stream = null
  }

  loseAll(): void {
    for (const passage of this.passages) this.lose(passage)
    this.stream?.end()
    this.stream = null
  }

  /** False where nobody listens. */
  wake(): boolean {
    this.stream?.push('event: wake\n')
    return this.stream !== null
  }

  private say(jws: string, signal: AbortSignal | null | undefined): Promise<Response> {
    const connection = Promise.withResolvers<Response>()
    const passage: Passage = { statement: this.heard(jws), answer: null, connection }
    signal?.addEventListener('abort', () => {
      // Given up by the device; the copy is still on its way.
      passage.connection = null
      connection.reject(signal.reason)
    })
    this.passages.push(passage)
    return connection.promise
  }

  private heard(jws: string): Said {
    const known = this.statements.find((said) => said.jws === jws)
    if (known !== undefined) return known
    const { nonce } = bodyOf(jws) as Statement
    const said = { jws, nonce, key: this.parts.key(), firstSentAt: this.parts.bootSeconds() }
    this.statements.push(said)
    return said
  }

  private listen(signal: AbortSignal | null | undefined): Response {
    const stream = new Stream()
    this.stream = stream
    signal?.addEventListener('abort', () => stream.end())
    return { ok: true, status: 200, body: { pipeThrough: () => stream.lines() } } as unknown as Response
  }

  /** The worst loss: the server has done it, and the device does not hear of it. */
  private async enrol(jws: string): Promise<Response> {
    await this.parts.turns.take('ask to enrol', () => {
      this.hasLostEnrolment = false
    })
    const answer = await this.parts.enrol(jws)
    await this.parts.turns.take('enrolled', () => this.mayBreakOff())
    return response(answer)
  }

  private mayBreakOff(): void {
    if (this.failing === 0) return
    this.failing -= 1
    this.hasLostEnrolment = true
    throw new Error('the transfer broke off')
  }

  /** A link, the file behind it, and a place for results, all of which are taken. */
  private transfer({ method }: RequestInit): Response {
    this.mayBreakOff()
    const text =
      method === 'POST' ? JSON.stringify({ path: '/device/transfer/link' }) : this.parts.file.toString()
    return response({ status: 200, text: method === 'HEAD' ? '' : text })
  }
}

/** The event stream, in the hands of the script. */
class Stream {
  private waiting: string[] = []
  private isOver = false
  private next = Promise.withResolvers<void>()

  push(line: string): void {
    this.waiting.push(line)
    this.next.resolve()
  }

  end(): void {
    this.isOver = true
    this.next.resolve()
  }

  async *lines(): AsyncGenerator<string> {
    while (!this.isOver) {
      await this.next.promise
      this.next = Promise.withResolvers()
      const lines = this.waiting
      this.waiting = []
      yield* lines
    }
  }
}
