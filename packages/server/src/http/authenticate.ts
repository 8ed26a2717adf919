/** `Authorization: Bearer …` → who asks. */
import type { App } from '../app/ports.ts'
import { isOurResource } from '../app/issue-token.ts'
import type { Standing } from '../app/rows.ts'
import { Refusal } from '../core/errors.ts'
import type { Caller } from '../core/permission.ts'
import { openStanding, type StandingOf } from './standing.ts'

/** More tokens than this at once are not kept; the oldest goes first. */
const mostKept = 10_000

/** What one of our tokens says, which does not change while the token lives. */
interface Known {
  readonly clientId: string
  readonly permissions: readonly string[]
  readonly audience: string
  readonly expiresAt: number
  /** Who asked by it last, and what the application was then. */
  asOf: { readonly standing: Standing; readonly caller: Caller } | null
}

export type Authenticate = (authorization: string | undefined, ownUrls: readonly string[]) => Promise<Caller>

/**
 * A token of ours is verified once and then known until it expires: a look into a map instead of a signature. What it is worth is asked
 * each time.
 */
export function openAuthenticate(app: App): Authenticate {
  const known = new Map<string, Known>()
  const standingOf = openStanding(app)
  return async (authorization, ownUrls) => {
    const token = tokenIn(authorization ?? '')
    if (token === null) throw unauthorized('The authorization header with a bearer token is missing.')
    const before = known.get(token)
    // Those of others are checked each time: their keys come and go, and with a key its tokens.
    if (before === undefined && app.issuers.isNamedIn(token))
      return app.issuers.authenticate(token, app.now())
    const found = before ?? (await verify(app, token))
    if (found.expiresAt <= app.now().getTime()) {
      known.delete(token)
      throw unauthorized('The token has expired.')
    }
    if (before === undefined) keep(known, token, found)
    // The reference answers a wrong audience with 403 (`wire.md` 10, U20).
    if (!isOurResource(found.audience, ownUrls)) {
      throw new Refusal('Forbidden', `The token was issued for another audience: ${found.audience}.`)
    }
    return callerNow(standingOf, found)
  }
}

function keep(known: Map<string, Known>, token: string, found: Known): void {
  known.set(token, found)
  const [oldest] = known.keys()
  if (known.size > mostKept && oldest !== undefined) known.delete(oldest)
}

const asUsual = 'Bearer '

function tokenIn(authorization: string): string | null {
  // The pattern walks through all of a long token, at every request.
  if (authorization.startsWith(asUsual) && !authorization.includes(' ', asUsual.length))
    return authorization.slice(asUsual.length)
  return /^Bearer\s+(\S+)\s*$/i.exec(authorization)?.[1] ?? null
}

const unauthorized = (message: string): Refusal => new Refusal('Unauthorized', message)

async function verify(app: App, token: string): Promise<Known> {
  const claims = await app.signer.verifyToken(token, app.now())
  if (claims === null) throw unauthorized('The token is not valid or has expired.')
  const { aud, exp, appid, roles } = claims
  if (
    typeof aud !== 'string' ||
    typeof exp !== 'number' ||
    typeof appid !== 'string' ||
    !Array.isArray(roles)
  ) {
    throw unauthorized('The token lacks claims that it needs.')
  }
  const permissions = roles.filter((role): role is string => typeof role === 'string')
  return { clientId: appid, permissions, audience: aud, expiresAt: exp * 1000, asOf: null }
}

/** What was taken from the application since is taken from its token; what it was given since needs a new one. */
async function callerNow(standingOf: StandingOf, known: Known): Promise<Caller> {
  const { clientId, permissions, asOf } = known
  const standing = await standingOf(clientId)
  if (standing !== null && asOf?.standing === standing) return asOf.caller
  if (standing === null) throw unauthorized(`The application ${clientId} is not known here.`)
  if (!standing.isEnabled) throw unauthorized(`The application ${standing.name} (${clientId}) is disabled.`)
  const left = permissions.filter((name) => standing.permissions.includes(name))
  const caller: Caller = { kind: 'app', id: clientId, name: standing.name, permissions: left }
  known.asOf = { standing, caller }
  return caller
}
