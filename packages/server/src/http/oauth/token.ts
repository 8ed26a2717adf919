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
  unknown_resource: {
    error: 'invalid_scope',
    status: 400,
    number: 70011,
    text: 'The scope or resource asked for is not this API.',
  },
}

type Refused = TokenRefusal | 'invalid_request' | 'unknown_tenant' | 'unsupported_grant_type'

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
  const no = (why: Refused, more = ''): FastifyReply => {
    const { error = why, status, number, text } = refusals[why]
    request.log.info({ refused: why }, 'token refused')
    return reply.code(status).send({
      error,
      error_description: `AADSTS${number}: ${text}${more}`,
      error_codes: [number],
      timestamp: app.now().toISOString(),
      trace_id: request.id,
      correlation_id: request.id,
    })
  }
  void reply.header('cache-control', 'no-store')
  const form = new URLSearchParams(bytesOf(request).toString('utf8'))
  const { tenant = '' } = paramsOf(request)
  if (tenant.toLowerCase() !== app.identity.tenantId) return no('unknown_tenant')
  const grant = form.get('grant_type')
  if (grant === null) return no('invalid_request', 'grant_type')
  if (grant !== 'client_credentials') return no('unsupported_grant_type')
  const { clientId, clientSecret } = clientOf(request, form)
  if (clientId === null || clientSecret === null) return no('invalid_request', 'client_id, client_secret')
  const resource = form.get('resource') ?? form.get('scope')?.replace(/\/?\/\.default$/, '')
  if (resource === undefined || resource === '') return no('invalid_request', 'scope (or resource)')

  const ownUrls = [publicUrl, baseOf(request)]
  const issued = await issueToken(app, { clientId, clientSecret, resource, ownUrls })
  if ('refused' in issued) return no(issued.refused)
  const seconds = tokenLifetimeMs / 1000 - 1
  return reply.send({
    token_type: 'Bearer',
    expires_in: seconds,
    ext_expires_in: seconds,
    access_token: issued.token,
  })
}

/** From the form, or from a Basic header (RFC 6749 2.3.1). */
function clientOf(
  request: FastifyRequest,
  form: URLSearchParams,
): { clientId: string | null; clientSecret: string | null } {
  const basic = /^Basic\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (basic === undefined) return { clientId: form.get('client_id'), clientSecret: form.get('client_secret') }
  const [id = '', ...rest] = Buffer.from(basic, 'base64').toString('utf8').split(':')
  try {
    return { clientId: decodeURIComponent(id), clientSecret: decodeURIComponent(rest.join(':')) }
  } catch {
    return { clientId: null, clientSecret: null }
  }
}
