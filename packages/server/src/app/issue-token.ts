import { judgeSecret } from '../core/application.ts'
import type { App } from './ports.ts'

export const tokenLifetimeMs = 3_600_000

/** Where the reference's regions are reached (`wire.md` 11). Clients that are set to one ask for it as the resource too. */
const regionalHosts: readonly string[] = [
  ...['us', 'eu', 'uk', 'au', 'swa', 'ina', 'aea'].map((region) => `${region}.api.security.microsoft.com`),
  ...['us', 'eu', 'uk', 'au'].map((region) => `api-${region}.securitycenter.microsoft.com`),
  'api-us.securitycenter.windows.com',
]

/** What the reference is asked for (`wire.md` 10); each becomes the token's audience, and each is valid here. */
const knownResources: readonly string[] = [
  'https://api.securitycenter.microsoft.com',
  'https://api.securitycenter.windows.com',
  'https://securitycenter.onmicrosoft.com/windowsatpservice',
  'https://api-gcc.securitycenter.microsoft.us',
  'https://api-gov.securitycenter.microsoft.us',
  'https://api.security.microsoft.com',
  ...regionalHosts.map((host) => `https://${host}`),
]

/** Is this resource, or audience, one of ours? `ownUrls`: the base URLs that we answer on. */
export const isOurResource = (resource: string, ownUrls: readonly string[]): boolean =>
  [...knownResources, ...ownUrls].includes(resource.replace(/\/+$/, ''))

export interface TokenRequest {
  readonly clientId: string
  readonly clientSecret: string
  /** A resource (v1), or a scope without its `/.default` (v2). */
  readonly resource: string
  readonly ownUrls: readonly string[]
  /** From where it is asked. */
  readonly address: string
}

/** Why no token is given. What the wire says of each stands in `http/oauth/token.ts`. */
export type TokenRefusal =
  'too_many_failures' | 'wrong_client' | 'expired_secret' | 'disabled_application' | 'unknown_resource'

/**
 * A token for an application by one of its secrets, with the permissions that it has been given. That an application is there, or
 * is disabled, learns only who has a secret of it.
 */
export async function issueToken(
  app: App,
  request: TokenRequest,
): Promise<{ token: string } | { refused: TokenRefusal; waitMs: number }> {
  const { address } = request
  const clientId = request.clientId.toLowerCase()
  const waitMs = app.signIns.waitMs(clientId, address, app.now())
  // Not looked at, be it right or wrong: else a guess would be told from its answer.
  if (waitMs > 0) return { refused: 'too_many_failures', waitMs }
  const application = await app.store.read('application', request.clientId)
  // Digests are compared, so the time taken says nothing of the secret.
  const given = app.digest(request.clientSecret)
  const worth = application === null ? 'wrong' : judgeSecret(application, given, app.now())
  if (application === null || worth === 'wrong') {
    app.signIns.failed(clientId, address, app.now())
    return { refused: 'wrong_client', waitMs: 0 }
  }
  app.signIns.succeeded(clientId, address)
  if (worth === 'expired') return { refused: 'expired_secret', waitMs: 0 }
  if (!application.isEnabled) return { refused: 'disabled_application', waitMs: 0 }
  if (!isOurResource(request.resource, request.ownUrls)) return { refused: 'unknown_resource', waitMs: 0 }
  const claims = {
    aud: request.resource,
    appid: application.id,
    app_displayname: application.name,
    appidacr: '1',
    oid: application.objectId,
    sub: application.objectId,
    idtyp: 'app',
    roles: application.permissions,
    tid: app.identity.tenantId,
    ver: '1.0',
  }
  return { token: await app.signer.signToken(claims, tokenLifetimeMs, app.now()) }
}
