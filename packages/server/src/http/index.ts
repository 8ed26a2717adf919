/** The edge, in order: id, log, authenticate, authorize, limit, find the target, read the body, handle, errors. */
import { randomUUID } from 'node:crypto'
import {
  alerts,
  applications,
  defaultBodyLimit,
  devices,
  enrolmentTokens,
  events,
  libraryFiles,
  machineActions,
  machineLabels,
  machineResponses,
  machines,
} from '@countermand/contract'
import Fastify, {
  LogController,
  type FastifyInstance,
  type FastifyRequest,
  type FastifyServerFactory,
} from 'fastify'
import type { App } from '../app/ports.ts'
import { Refusal } from '../core/errors.ts'
import { refuseUnpermitted } from '../core/permission.ts'
import { alertHandlers } from './alerts.ts'
import { applicationHandlers } from './applications.ts'
import { openAuthenticate } from './authenticate.ts'
import { baseOf } from './base-url.ts'
import { deviceHandlers } from './devices.ts'
import { mountExchange } from './device/exchange.ts'
import { mountTransfers } from './device/transfers.ts'
import { mountWake } from './device/wake.ts'
import { mountDownloads } from './download.ts'
import { enrolmentTokenHandlers } from './enrolment-tokens.ts'
import { answerErrors, asRefusal, answer } from './errors.ts'
import { openEventHandlers } from './events/index.ts'
import { answerNoRequest, limitConnections, nodeOptions, type Patience } from './guard/connections.ts'
import { guardAnswer, guardAnswers } from './guard/headers.ts'
import { refuseSlowBodies } from './guard/slow-bodies.ts'
import { mountHealth } from './health.ts'
import { libraryFileHandlers } from './library-files.ts'
import { machineActionHandlers, machineResponseHandlers } from './machine-actions.ts'
import { machineLabelHandlers } from './machine-labels.ts'
import { machineHandlers } from './machines.ts'
import { mountDiscovery } from './oauth/discovery.ts'
import { mountTokens } from './oauth/token.ts'
import { mountMetrics, type MetricsAccess } from './metrics.ts'
import { findTarget, mount, type Check, type Guarded } from './operation.ts'
import { mountReference } from './reference/index.ts'
import { tellOfRequests } from './telemetry.ts'

/** Takes the log, line by line. */
export interface LogTo {
  write(line: string): void
}

export interface HttpOptions {
  readonly app: App
  readonly publicUrl: string
  readonly issuer: string
  readonly log: { readonly level: string; readonly to: LogTo | undefined }
  readonly metrics: MetricsAccess
  /** Whose forwarded headers are believed: addresses and networks. */
  readonly trustedProxies: readonly string[]
  readonly patience: Patience
  /** What listens; null for plain HTTP. */
  readonly serverFactory: FastifyServerFactory | null
}

/** The server, ready to listen. */
export async function openHttp(options: HttpOptions): Promise<FastifyInstance> {
  const { app, publicUrl, issuer, metrics } = options
  const server = createServer(options)
  limitConnections(server, options.patience)
  refuseSlowBodies(server, options.patience)
  guardAnswers(server)
  server.decorate('publicUrl', { host: new URL(publicUrl).host, base: publicUrl })
  answerErrors(server)
  tellOfRequests(server, app)

  const authenticate = openAuthenticate(app)
  const checks: readonly Check[] = [
    async (_row, request) => {
      const caller = await authenticate(request.headers.authorization, [publicUrl, baseOf(request)])
      request.checked = { caller, target: undefined, isAllowed: false }
    },
    async (row, request) => refuseUnpermitted(request.checked.caller, row),
    async (row, request) => {
      await refuseTooMany(app, row, request)
      request.checked.isAllowed = true
    },
    findTarget(app),
  ]
  const parts = { app, checks }
  mount(server, parts, machineActions, machineActionHandlers)
  mount(server, parts, machineResponses, machineResponseHandlers)
  mount(server, parts, machines, machineHandlers)
  mount(server, parts, machineLabels, machineLabelHandlers)
  mount(server, parts, alerts, alertHandlers)
  mount(server, parts, libraryFiles, libraryFileHandlers)
  mount(server, parts, applications, applicationHandlers)
  mount(server, parts, enrolmentTokens, enrolmentTokenHandlers)
  mount(server, parts, devices, deviceHandlers)
  mount(server, parts, events, openEventHandlers(server, app))

  mountTokens(server, app, publicUrl)
  mountDiscovery(server, app, issuer)
  mountDownloads(server, app)
  mountExchange(server, app)
  mountWake(server, app)
  await mountTransfers(server, app)
  mountHealth(server, app)
  mountMetrics(server, parts, metrics)
  mountReference(server, app)
  return server
}

function createServer({ log, trustedProxies, serverFactory, patience }: HttpOptions): FastifyInstance {
  const server: FastifyInstance = Fastify({
    ...(serverFactory !== null && { serverFactory }),
    logger:
      log.level === 'silent' ? false : { level: log.level, ...(log.to !== undefined && { stream: log.to }) },
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: defaultBodyLimit,
    http: nodeOptions(patience),
    connectionTimeout: patience.silenceMs,
    keepAliveTimeout: patience.idleMs,
    // Of anybody else a forwarded header is a claim: links and contexts would lead to whatever host a caller names.
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    exposeHeadRoutes: false,
    routerOptions: { caseSensitive: false, ignoreTrailingSlash: true, maxParamLength: longestUrl },
    // The correlation id of every answer; a caller's own would let one request pose as another.
    requestIdHeader: false,
    genReqId: () => randomUUID(),
    rewriteUrl: (request) => plainUrl(request.url ?? '/'),
    frameworkErrors: (thrown, request, reply) => {
      const { code } = asRefusal(thrown)
      guardAnswer(request, reply)
      void answer(asRefusal(thrown), thrown, request, reply)
      // Such a request comes to no route and to no hook.
      request.log.warn({ method: request.method, route: 'none', status: reply.statusCode, code }, 'answered')
    },
    clientErrorHandler: (thrown, socket) => answerNoRequest(server.log, thrown, socket),
  })
  server.decorateRequest('checked')
  server.addHttpMethod('GET', { hasBody: true, overrideExisting: true })
  server.addHook('onRequest', ({ headers }, _reply, done) => {
    if (!/^[\w.+-]+\/[\w.+-]+/.test(headers['content-type'] ?? '')) delete headers['content-type']
    done()
  })
  // Every body comes as bytes, whatever it calls itself: clients label JSON as forms, or as nothing (`wire.md` 6).
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  return server
}

/** Node takes no longer head. */
const longestUrl = 16 * 1024

const withVersion = /^\/api\/v1\.0(?=[/?]|$)/i

/**
 * Without a version the latest is used (`wire.md` 11), and there is one. An escape that is none is taken literally: an id of
 * any shape is an id that is not found.
 */
export function plainUrl(url: string): string {
  const latest = withVersion.test(url) ? url.replace(withVersion, '/api') : url
  if (!latest.includes('%')) return latest
  const [path = '', ...query] = latest.split('?')
  // Functions in paths, and `$count`, are asked for as they are, or with any of their signs escaped.
  const bare = path.replaceAll(/%(?:24|27|28|29|2c|3a|3d)/gi, decodeURIComponent)
  return [isEscaped(bare) ? bare : bare.replaceAll('%', '%25'), ...query].join('?')
}

function isEscaped(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

async function refuseTooMany(app: App, row: Guarded, request: FastifyRequest): Promise<void> {
  const waitMs = await app.counters.take(
    request.checked.caller.id,
    { operation: row.name, class: row.limit },
    app.now(),
  )
  if (waitMs === 0) return
  app.meter.limited(row.limit)
  const seconds = Math.ceil(waitMs / 1000)
  throw new Refusal(
    'TooManyRequests',
    `Too many requests of the kind "${row.limit}": its limit is reached. Try again in ${seconds} seconds.`,
    seconds,
  )
}
