/** The token endpoint in both forms: v1 with `resource`, v2 with `scope` (`wire.md` 10). */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { issueToken, tokenLifetimeMs, type TokenRefusal } from '../../app/issue-token.ts'
import type { App } from '../../app/ports.ts'
import { baseOf } from '../base-url.ts'
import { bytesOf, paramsOf } from '../operation.ts'

export function mountTokens(server: FastifyInstance, app: App, publicUrl: string): void {
  for (const url of ['/:tenant/oauth2/token', '/:tenant/oauth2/v2.0/token']) {
    // Some clients send the form with a GET (`wire.md` 18).
    server.route({
      method: ['GET', 'POST'],
      url,
      handler: (request, reply) => token(app, publicUrl, request, reply),
    })
  }
}

/** The words of RFC 6749 5.2 (`error`, by default the name itself), and the number that Entra ID puts before its sentence. */
const refusals: Readonly<Record<Refused, Told>> = {
  invalid_request: { status: 400, number: 900144, text: 'The request body must contain: ' },
  secret_in_url: {
    error: 'invalid_request',
    status: 400,
    number: 900561,
    text: 'A URL is kept in logs and histories: send it in the body or in a Basic header, and replace what was sent. It was in the URL: ',
  },
  said_twice: {
    error: 'invalid_request',
    status: 400,
    number: 90100,
    text: 'It must be said once: ',
  },
  unknown_tenant: {
    error: 'invalid_request',
    status: 400,
    number: 90002,
    text: 'Tenant not found. It is in credentials.json as tenantId.',
  },
  unsupported_grant_type: {
    status: 400,
    number: 70003,
    text: 'The grant type is not supported; use client_credentials.',
  },
  wrong_client: {
    error: 'invalid_client',
    status: 401,
    number: 7000215,
    text: 'The client id or the client secret is not right.',
  },
  expired_secret: {
    error: 'invalid_client',
    status: 401,
    number: 7000222,
    text: 'The client secret has expired. Ask whoever administers this server for a new one.',
  },
  disabled_application: {
    error: 'unauthorized_client',
    status: 400,
    number: 7000112,
    text: 'The application is disabled.',
  },
  // What Entra ID answers who asks too often: 429 with Retry-After. The word is RFC 6749's for "not now".
  too_many_failures: {
    error: 'temporarily_unavailable',
    status: 429,
    number: 50196,
    text: 'Too many attempts with a wrong client id or client secret. Try again later; seconds to wait: ',
  },
  unknown_resource: {
    error: 'invalid_scope',
    status: 400,
    number: 70011,
    text: 'The scope or resource asked for is not this API.',
  },
}

type Refused =
  | TokenRefusal
  | 'invalid_request'
  | 'secret_in_url'
  | 'said_twice'
  | 'unknown_tenant'
  | 'unsupported_grant_type'

interface Told {
  readonly error?: string
  readonly status: number
  readonly number: number
  readonly text: string
}

async function token(
  app: App,
  publicUrl: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const no = (why: Refused, more = '', client?: string): FastifyReply =>
    refuse({ app, request, reply }, { why, more, client })
  // RFC 6749 5.1, both of them.
  void reply.headers({ 'cache-control': 'no-store', pragma: 'no-cache' })
  const form = new URLSearchParams(bytesOf(request).toString('utf8'))
  const inUrl = secretInUrl(request)
  if (inUrl !== undefined) return no('secret_in_url', inUrl)
  const { tenant = '' } = paramsOf(request)
  if (tenant.toLowerCase() !== app.identity.tenantId) return no('unknown_tenant')
  const twice = saidTwice(request, form)
  if (twice !== undefined) return no('said_twice', twice)
  const grant = form.get('grant_type')
  if (grant === null) return no('invalid_request', 'grant_type')
  if (grant !== 'client_credentials') return no('unsupported_grant_type')
  const { clientId, clientSecret } = clientOf(request, form)
  if (clientId === null || clientSecret === null) return no('invalid_request', 'client_id, client_secret')
  const resource = form.get('resource') ?? form.get('scope')?.replace(/\/?\/\.default$/, '')
  if (resource === undefined || resource === '') return no('invalid_request', 'scope (or resource)')

  const ownUrls = [publicUrl, baseOf(request)]
  const { ip: address } = request
  const issued = await issueToken(app, { clientId, clientSecret, resource, ownUrls, address })
  if ('refused' in issued) {
    const seconds = Math.ceil(issued.waitMs / 1000)
    if (seconds > 0) void reply.header('retry-after', seconds)
    return no(issued.refused, seconds > 0 ? String(seconds) : '', guidOf(clientId))
  }
  const seconds = tokenLifetimeMs / 1000 - 1
  return reply.send({
    token_type: 'Bearer',
    expires_in: seconds,
    ext_expires_in: seconds,
    access_token: issued.token,
  })
}

interface Exchange {
  readonly app: App
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

interface Refusing {
  readonly why: Refused
  /** What the sentence ends with. */
  readonly more: string
  /** Who has tried to sign in. */
  readonly client: string | undefined
}

function refuse({ app, request, reply }: Exchange, { why, more, client }: Refusing): FastifyReply {
  const { error = why, status, number, text } = refusals[why]
  const { ip: address, log } = request
  log.warn({ refused: why, client, address }, 'sign-in refused')
  // RFC 6749 5.2: who has tried one way of signing in is told that it is one.
  if (status === 401) void reply.header('www-authenticate', 'Basic realm="Countermand"')
  return reply.code(status).send({
    error,
    error_description: `AADSTS${number}: ${text}${more}`,
    error_codes: [number],
    timestamp: app.now().toISOString(),
    trace_id: request.id,
    correlation_id: request.id,
  })
}

/** RFC 6749 2.3.1 and RFC 9700 4.3.2: none of them in a URL. */
const secretNames = ['client_secret', 'client_assertion', 'assertion', 'password', 'refresh_token', 'code']

function secretInUrl({ url }: FastifyRequest): string | undefined {
  const query = new URLSearchParams(url.split('?').slice(1).join('?'))
  return secretNames.find((name) => query.has(name))
}

const usedOnce = ['grant_type', 'client_id', 'client_secret', 'scope', 'resource']

/** RFC 6749 3.2: a parameter once; 2.3: one way of signing in. Two that differ would be read by two programs in two ways. */
function saidTwice(request: FastifyRequest, form: URLSearchParams): string | undefined {
  const { clientId } = clientOf(request, form)
  if (basicOf(request) !== undefined) {
    if (form.has('client_secret')) return 'client_secret'
    const named = form.get('client_id')?.toLowerCase() ?? clientId?.toLowerCase()
    if (named !== clientId?.toLowerCase()) return 'client_id'
  }
  return usedOnce.find((name) => form.getAll(name).length > 1)
}

/** What is no client id may be a secret in the wrong place, and must not come into the log. */
const guidOf = (text: string): string | undefined =>
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.toLowerCase() : undefined

const basicOf = (request: FastifyRequest): string | undefined =>
  /^Basic\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]

/** From the form, or from a Basic header (RFC 6749 2.3.1). */
function clientOf(
  request: FastifyRequest,
  form: URLSearchParams,
): { clientId: string | null; clientSecret: string | null } {
  const basic = basicOf(request)
  if (basic === undefined) return { clientId: form.get('client_id'), clientSecret: form.get('client_secret') }
  const [id = '', ...rest] = Buffer.from(basic, 'base64').toString('utf8').split(':')
  try {
    return { clientId: decodeURIComponent(id), clientSecret: decodeURIComponent(rest.join(':')) }
  } catch {
    return { clientId: null, clientSecret: null }
  }
}
