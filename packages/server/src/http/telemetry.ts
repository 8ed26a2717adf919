/** What is told of every request: one line in the log, one count, one span. Never its URL or its words, which may hold secrets. */
import { devicePaths, operations } from '@countermand/contract'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { App } from '../app/ports.ts'
import type { Span } from '../app/telemetry.ts'
import type { RefusalCode } from '../core/errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Name of the operation of the contract. */
    readonly operation?: string
  }
  interface FastifyRequest {
    /** Null where nobody traces. */
    span: Span | null
    /** Why it was answered with an error. */
    refusal: RefusalCode | null
  }
}

const streams: readonly (string | undefined)[] = [devicePaths.wake, operations.streamEvents.path]

export function tellOfRequests(
  server: FastifyInstance,
  { meter, tracer }: Pick<App, 'meter' | 'tracer'>,
): void {
  server.decorateRequest('span', null)
  server.decorateRequest('refusal', null)
  server.addHook('onRequest', (request, _reply, done) => {
    // Devices sync without being asked; what of it belongs to a cancel is in the cancel's trace.
    const { url, config } = request.routeOptions
    if (tracer !== null && config.operation !== undefined)
      request.span = tracer.start('server', `${request.method} ${url}`, parentOf(request))
    done()
  })
  server.addHook('onSend', (request, reply, _payload, done) => {
    void reply.header('request-id', request.id)
    done()
  })
  server.addHook('onResponse', (request, reply, done) => {
    const { url, config } = request.routeOptions
    const { statusCode: status, elapsedTime: tookMs } = reply
    logLine(request, reply)
    // An event stream is answered when it ends: its length is nobody's wait.
    if (!streams.includes(url))
      meter.answered({ operation: config.operation ?? url ?? 'none', status, tookMs })
    // Its own limit had let the call through: as many live responses are open as may be.
    if (status === 429 && request.checked?.isAllowed) meter.limited('sessions')
    request.span?.end(attributesOf(request, status), status >= 500)
    done()
  })
}

/** The head of a W3C trace, whatever it holds: the tracer looks at it. */
function parentOf({ headers }: FastifyRequest): string | null {
  const { traceparent } = headers
  return typeof traceparent === 'string' ? traceparent : null
}

function logLine(request: FastifyRequest, reply: FastifyReply): void {
  const { url, config } = request.routeOptions
  const caller = request.checked?.caller
  const line = {
    method: request.method,
    route: url ?? 'none',
    operation: config.operation,
    status: reply.statusCode,
    ms: Math.round(reply.elapsedTime),
    caller: caller?.id,
    application: caller?.name,
    code: request.refusal ?? undefined,
  }
  if (request.refusal !== null) request.log.warn(line, 'answered')
  else if (url === undefined || url.startsWith('/device/')) request.log.debug(line, 'answered')
  else request.log.info(line, 'answered')
}

function attributesOf(request: FastifyRequest, status: number): Record<string, string | number> {
  const { url = 'none', config } = request.routeOptions
  const caller = request.checked?.caller.id
  return {
    'http.request.method': request.method,
    'http.route': url,
    'http.response.status_code': status,
    'countermand.request.id': request.id,
    ...(config.operation !== undefined && { 'countermand.operation': config.operation }),
    ...(caller !== undefined && { 'countermand.caller': caller }),
    ...(request.refusal !== null && { 'error.type': request.refusal }),
  }
}
