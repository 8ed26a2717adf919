/** How long a connection may take over what, and how many there may be. Whoever is cut off by it is a line of the log. */
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { FastifyInstance } from 'fastify'
import { envelope } from '../errors.ts'
import { everyAnswer, onlyOurs } from './headers.ts'

/** In milliseconds where nothing else is said. */
export interface Patience {
  /** For the whole head, from the connection, or from the answer before. */
  readonly headMs: number
  /**
   * For a body, and so much longer as it brings `bytesPerSecond`: devices and libraries send much over slow lines, so there is no
   * limit on the whole (as in Apache's mod_reqtimeout). A part of an upload has a rule of its own (`http/device/part.ts`).
   */
  readonly bodyMs: number
  readonly bytesPerSecond: number
  /** In which nothing at all comes or goes: a reader that does not read, a peer that is gone. Event streams beat every 15 s. */
  readonly silenceMs: number
  /** Between two requests. Longer than a proxy keeps an idle connection (60 s in nginx), or it would ask on one that just closed. */
  readonly idleMs: number
  /** How many at a time. Each device that listens is one. */
  readonly connections: number
  /** How often heads are looked at, and bodies: what is too slow is cut off up to twice as long after its time. */
  readonly lookMs: number
}

export const standingPatience: Patience = {
  headMs: 15_000,
  bodyMs: 30_000,
  bytesPerSecond: 500,
  silenceMs: 120_000,
  idleMs: 72_000,
  connections: 50_000,
  lookMs: 5_000,
}

/** What Node is told when it makes the server, with TLS or without. */
export const nodeOptions = ({ headMs, lookMs }: Patience): object => ({
  headersTimeout: headMs,
  connectionsCheckingInterval: lookMs,
})

/** Of those that are turned away there is one line in so many milliseconds: whoever opens them fast must not fill the log. */
const gatherMs = 10_000

/** What Node says of itself by events, and closes without a word. */
export function limitConnections(server: FastifyInstance, { connections }: Patience): void {
  const { server: node, log } = server
  node.maxConnections = connections
  let dropped = 0
  let gathering: NodeJS.Timeout | null = null
  node.on('drop', () => {
    dropped += 1
    if (gathering !== null) return
    log.warn({ code: 'TooManyConnections', connections, dropped }, 'connection refused')
    gathering = setTimeout(() => {
      gathering = null
      if (dropped > 1) log.warn({ code: 'TooManyConnections', connections, dropped }, 'connection refused')
      dropped = 0
    }, gatherMs)
    gathering.unref()
  })
  node.on('timeout', (socket: Socket) => {
    log.warn({ code: 'Silence', address: socket.remoteAddress }, 'connection closed')
    socket.destroy()
  })
  server.addHook('onClose', (_server, done) => {
    clearTimeout(gathering ?? undefined)
    done()
  })
}

interface Told {
  readonly status: string
  readonly code: string
  readonly message: string
}

const notHttp: Told = {
  status: '400 Bad Request',
  code: 'BadRequest',
  message: 'The request is not valid HTTP.',
}
const tellings: Readonly<Record<string, Told>> = {
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: '408 Request Timeout',
    code: 'RequestTimeout',
    message: 'The head of the request came too slowly.',
  },
  HPE_HEADER_OVERFLOW: {
    status: '431 Request Header Fields Too Large',
    code: 'RequestEntityTooLarge',
    message: 'The head of the request is too large.',
  },
}

/** Answers what came to no request: what is no HTTP, too large a head, too slow a head. */
export function answerNoRequest(
  log: FastifyInstance['log'],
  thrown: Error & { code?: string },
  socket: Socket,
): void {
  // A handshake that failed leaves nobody to answer.
  if (socket instanceof TLSSocket && socket.getProtocol() === null) return void socket.destroy()
  if (thrown.code === 'ECONNRESET' || !socket.writable) return
  const reqId = randomUUID()
  const { status, code, message } = tellings[thrown.code ?? ''] ?? notHttp
  const body = JSON.stringify(envelope(code, message, reqId))
  const headers = { 'content-type': 'application/json', 'request-id': reqId, ...everyAnswer, ...onlyOurs }
  const head = Object.entries({ ...headers, 'content-length': body.length, connection: 'close' })
  // Its reason is a word of Node's; what was sent is in none of it.
  log.warn(
    { reqId, address: socket.remoteAddress, status: Number(status.slice(0, 3)), code, reason: thrown.code },
    'answered',
  )
  socket.end(
    [`HTTP/1.1 ${status}`, ...head.map(([name, value]) => `${name}: ${value}`), '', body].join('\r\n'),
  )
}
