/** What a token of another issuer is worth, once its signature has held: whose it is, and what it permits (`wire.md` 10). */
import { Refusal } from './errors.ts'
import type { Caller } from './permission.ts'

/** An issuer whose tokens are accepted beside our own. */
export interface TrustedIssuer {
  /** Ours, a short word: it stands in the ids of its callers and behind their names, so that they pose as nobody else. */
  readonly name: string
  /** As `iss` says it, to the letter. */
  readonly issuer: string
  /** A token must be for one of these. */
  readonly audience: readonly string[]
  /** Where its keys are, if its discovery document is not to be asked. */
  readonly jwksUri: string | null
}

type Claims = Readonly<Record<string, unknown>>

/** @throws Refusal Forbidden for another audience (U20), Unauthorized for what is no access token, or cannot be checked here */
export function callerOf(
  claims: Claims,
  { name: issuer, audience }: Pick<TrustedIssuer, 'name' | 'audience'>,
): Caller {
  const audiences = textsOf(claims.aud)
  if (!audiences.some((one) => audience.includes(one)))
    throw new Refusal('Forbidden', `The token was issued for another audience: ${audiences.join(', ')}.`)
  refuseOtherTokens(claims)
  const clientId = nameIn(claims.appid, claims.azp, claims.client_id, claims.cid)
  if (clientId === null) throw unauthorized('The token does not name the application that it was issued to.')
  const isUsers = isOfUser(claims, clientId)
  const name = isUsers ? userIn(claims) : clientId
  if (name === null) throw unauthorized('The token does not name its user.')
  return {
    kind: isUsers ? 'delegated' : 'app',
    id: `${issuer}:${clientId}`,
    name: `${name} (${issuer})`,
    permissions: isUsers ? scopesOf(claims) : textsOf(claims.roles),
  }
}

const unauthorized = (message: string): Refusal => new Refusal('Unauthorized', message)

/**
 * An application's own has its client id as `sub` (RFC 9068 2.2), or says so (`idtyp`), or has Entra's one id for both. Every other one is of
 * a user, also where it has no scope at all: a user's roles would permit what nobody has allowed that application to do for that user.
 */
function isOfUser({ idtyp, sub, oid, scp }: Claims, clientId: string): boolean {
  if (scp !== undefined) return sub !== clientId
  return idtyp !== 'app' && sub !== clientId && (oid === undefined || oid !== sub)
}

/** An ID token says who somebody is, and permits nothing, even where its audience is ours. */
function refuseOtherTokens(claims: Claims): void {
  // Keycloak says in the claims what a token is for: Bearer, ID, Refresh, …
  const isOther = typeof claims.typ === 'string' && claims.typ.toLowerCase() !== 'bearer'
  // OpenID Connect Core 3.1.3.6, 3.3.2.11: in ID tokens only.
  if (isOther || claims.at_hash !== undefined || claims.c_hash !== undefined)
    throw unauthorized('The token is no access token.')
  // RFC 7800: good only together with a proof, which would have to be checked.
  if (claims.cnf !== undefined)
    throw unauthorized('The token is bound to a key of its holder, which cannot be checked here.')
}

/** Blank-separated; some issuers write a list. */
const scopesOf = ({ scp, scope }: Claims): readonly string[] =>
  textsOf(scp ?? scope).flatMap((text) => text.split(' ').filter((name) => name !== ''))

/** What is the user's alone at the issuer; a display name is not. */
const userIn = ({ upn, preferred_username: username, email, email_verified: verified, sub }: Claims) =>
  nameIn(upn, username, verified === false ? null : email, sub)

const textsOf = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : [value]).filter((one): one is string => typeof one === 'string')

const longestName = 256

const isName = (value: unknown): value is string =>
  typeof value === 'string' &&
  value.trim() !== '' &&
  value.length <= longestName &&
  !/\p{Cc}/u.test(value) &&
  value.isWellFormed()

/** The first that can stand on an action. */
const nameIn = (...values: readonly unknown[]): string | null => values.find(isName) ?? null
