/** A body that comes too slowly is not waited for. The heads are Node's to watch (`connections.ts`). */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from '../../core/errors.ts'
import { answer } from '../errors.ts'
import type { Patience } from './connections.ts'

/** From the first look at it. */
interface Since {
  readonly at: number
  readonly bytes: number
}

interface Watched {
  /** Where its answer goes; null when it has been answered without it. */
  readonly reply: FastifyReply | null
  since: Since | null
}

/** All of them are looked at together, now and then: a timer for each would cost every request that comes whole. */
export function refuseSlowBodies(server: FastifyInstance, patience: Patience): void {
  const watched = new Map<FastifyRequest, Watched>()
  const look = (request: FastifyRequest, watch: Watched, now: number): void => {
    const { bytesRead } = request.raw.socket
    watch.since ??= { at: now, bytes: bytesRead }
    const { since, reply } = watch
    const came = reply === null ? 0 : bytesRead - since.bytes
    if (now - since.at < patience.bodyMs + (came / patience.bytesPerSecond) * 1000) return
    watched.delete(request)
    if (reply === null) cut(request)
    else if (!reply.sent) refuse(request, reply)
  }
  const looking = setInterval(() => {
    const now = performance.now()
    for (const [request, watch] of watched) look(request, watch, now)
  }, patience.lookMs).unref()
  const stop = (request: FastifyRequest): void => void watched.delete(request)

  server.addHook('preParsing', (request, reply, payload, done) => {
    // What has come with its head is not waited for.
    if (isComing(request)) watched.set(request, { reply, since: null })
    done(null, payload)
  })
  server.addHook('preValidation', (request, _reply, done) => {
    stop(request)
    done()
  })
  server.addHook('onResponse', (request, _reply, done) => {
    stop(request)
    // Answered without it; what is still coming is not listened to, and not for long.
    if (isComing(request)) {
      watched.set(request, { reply: null, since: null })
      request.raw.once('close', () => stop(request))
    }
    done()
  })
  server.addHook('onRequestAbort', (request, done) => {
    stop(request)
    done()
  })
  server.addHook('onClose', (_server, done) => {
    clearInterval(looking)
    done()
  })
}

function refuse(request: FastifyRequest, reply: FastifyReply): void {
  void reply.header('connection', 'close')
  reply.raw.once('finish', () => request.raw.socket.destroy())
  answer(new Refusal('RequestTimeout', 'The body of the request came too slowly.'), null, request, reply)
}

/** Said by Node of a request that came over a connection. */
const isComing = ({ raw }: FastifyRequest): boolean => 'complete' in raw && !raw.complete

function cut(request: FastifyRequest): void {
  const { raw, log } = request
  if (raw.socket.destroyed || !isComing(request)) return
  log.warn({ code: 'RequestTimeout', address: raw.socket.remoteAddress }, 'connection closed')
  raw.socket.destroy()
}
