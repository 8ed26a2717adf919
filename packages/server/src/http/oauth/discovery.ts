/** What a token client looks up before it asks: endpoints, issuer, keys. */
import { signInHosts } from '@countermand/contract'
import type { FastifyInstance } from 'fastify'
import type { App } from '../../app/ports.ts'
import { Refusal } from '../../core/errors.ts'
import { baseOf } from '../base-url.ts'

interface Tenant {
  Params: { tenant: string }
}

export function mountDiscovery(server: FastifyInstance, app: App, issuer: string): void {
  const known = (tenant: string): string => {
    if (tenant.toLowerCase() === app.identity.tenantId) return app.identity.tenantId
    throw new Refusal('NotFound', 'The tenant was not found.')
  }
  server.get('/common/discovery/instance', (request, reply) => {
    const { host } = request
    return reply.send({
      tenant_discovery_endpoint: `${baseOf(request)}/${app.identity.tenantId}/v2.0/.well-known/openid-configuration`,
      'api-version': '1.1',
      metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host, ...signInHosts] }],
    })
  })
  for (const version of ['', '/v2.0']) {
    server.get<Tenant>(`/:tenant${version}/.well-known/openid-configuration`, (request, reply) => {
      const base = `${baseOf(request)}/${known(request.params.tenant)}`
      return reply.send({
        issuer,
        // Required by OpenID Connect Discovery; nobody signs in here, so nothing answers there.
        authorization_endpoint: `${base}/oauth2${version}/authorize`,
        token_endpoint: `${base}/oauth2${version}/token`,
        jwks_uri: `${base}/discovery${version}/keys`,
        token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
        grant_types_supported: ['client_credentials'],
        response_types_supported: ['token'],
        subject_types_supported: ['pairwise'],
        id_token_signing_alg_values_supported: ['RS256'],
      })
    })
    server.get<Tenant>(`/:tenant/discovery${version}/keys`, (request, reply) => {
      known(request.params.tenant)
      return reply.send({ keys: app.signer.publicKeys() })
    })
  }
}
