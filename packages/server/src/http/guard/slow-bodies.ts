/** A body that comes too slowly is not waited for. The heads are Node's to watch (`connections.ts`). */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Refusal } from '../../core/errors.ts'
import { answer } from '../errors.ts'
import type { Patience } from './connections.ts'

export function refuseSlowBodies(server: FastifyInstance, patience: Patience): void {
  const watched = new WeakMap<FastifyRequest, NodeJS.Timeout>()
  const stop = (request: FastifyRequest): void => {
    clearTimeout(watched.get(request))
    watched.delete(request)
  }
  server.addHook('preParsing', (request, reply, payload, done) => {
    const { socket } = request.raw
    const before = socket.bytesRead
    const startedAt = performance.now()
    const look = (): void => {
      const mayTakeMs = patience.bodyMs + ((socket.bytesRead - before) / patience.bytesPerSecond) * 1000
      const leftMs = mayTakeMs - (performance.now() - startedAt)
      if (leftMs > 0) return watch(leftMs)
      watched.delete(request)
      if (reply.sent) return
      void reply.header('connection', 'close')
      reply.raw.once('finish', () => socket.destroy())
      const refusal = new Refusal('RequestTimeout', 'The body of the request came too slowly.')
      answer(refusal, null, request, reply)
    }
    const watch = (ms: number): void => void watched.set(request, setTimeout(look, Math.ceil(ms)))
    // What has come with its head is not waited for.
    if (isComing(request)) watch(patience.bodyMs)
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
      watched.set(
        request,
        setTimeout(() => cut(request), patience.bodyMs),
      )
      request.raw.once('close', () => stop(request))
    }
    done()
  })
  server.addHook('onRequestAbort', (request, done) => {
    stop(request)
    done()
  })
}

/** Said by Node of a request that came over a connection. */
const isComing = ({ raw }: FastifyRequest): boolean => 'complete' in raw && !raw.complete

function cut(request: FastifyRequest): void {
  const { raw, log } = request
  if (raw.socket.destroyed || !isComing(request)) return
  log.warn({ code: 'RequestTimeout', address: raw.socket.remoteAddress }, 'connection closed')
  raw.socket.destroy()
}
