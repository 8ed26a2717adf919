/** Anything thrown → the reference's envelope (`wire.md` 8). With `wire.ts` the only place that speaks its dialect. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Refusal, refusalStatus } from '../core/errors.ts'
import { baseOf } from './base-url.ts'

export const envelope = (code: string, message: string, target: string): object => ({
  error: { code, message, target },
})

/** Faults become a 500 whose id is in the log, with the detail; the wire gets no detail. */
export function answerErrors(server: FastifyInstance): void {
  server.setErrorHandler((thrown, request, reply) => answer(asRefusal(thrown), thrown, request, reply))
  server.setNotFoundHandler((request, reply) => answer(nothingThere(request), null, request, reply))
}

export const nothingThere = (request: FastifyRequest): Refusal =>
  new Refusal(
    'NotFound',
    `No HTTP resource was found that matches the request URI '${baseOf(request)}${request.originalUrl}'.`,
  )

export function answer(
  refusal: Refusal,
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  if (refusal.code === 'InternalServerError') request.log.error({ err: thrown }, 'fault')
  // In the log it is told by its code, with the answer: its words may be the caller's own.
  request.refusal = refusal.code
  void reply.header('request-id', request.id)
  if (refusal.code === 'Unauthorized') void reply.header('www-authenticate', 'Bearer')
  if (refusal.retryAfterSeconds !== null) void reply.header('retry-after', refusal.retryAfterSeconds)
  const error = envelope(refusal.code, refusal.message, request.id)
  const beside = refusal.beside === null ? {} : { countermand: refusal.beside }
  return reply.code(refusalStatus[refusal.code]).send({ ...error, ...beside })
}

export function asRefusal(thrown: unknown): Refusal {
  if (thrown instanceof Refusal) return thrown
  if (!(thrown instanceof Error)) return fault
  const code = 'code' in thrown ? thrown.code : ''
  const statusCode = 'statusCode' in thrown ? Number(thrown.statusCode) : 500
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new Refusal('RequestEntityTooLarge', 'The request body is too large.')
  if (statusCode >= 400 && statusCode < 500) return new Refusal('BadRequest', thrown.message)
  return fault
}

const fault = new Refusal(
  'InternalServerError',
  'Something went wrong here. Try again; if it stays, quote the target id.',
)
