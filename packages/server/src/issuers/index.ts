/** Tokens of other issuers: checked by their published keys, as RFC 8725 and RFC 9068 have it. */
import { decodeJwt, jwtVerify, type JWTPayload } from 'jose'
import type { Issuers } from '../app/ports.ts'
import { callerOf, type TrustedIssuer } from '../core/access-token.ts'
import { Refusal } from '../core/errors.ts'
import { openKeys, type Failed, type Keys } from './keys.ts'

/** By key pairs only: with a secret in the list, a published key could pose as one. */
const algorithms = 'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519'.split(' ')
/** In small letters. Anything else is a token for something else (RFC 8725 3.11). */
const accessTypes: readonly (string | undefined)[] = [undefined, 'jwt', 'at+jwt', 'application/at+jwt']
/** How far the issuer's clock may be from ours. */
const leewaySeconds = 30

/** `failed` is told why the keys of an issuer could not be had. */
export function openIssuers(trusted: readonly TrustedIssuer[], failed: Failed): Issuers {
  const known = new Map(trusted.map((one) => [one.issuer, { ...one, keys: openKeys(one, failed) }]))
  return {
    isNamedIn: (token) => known.size > 0 && known.has(issuerIn(token)),
    authenticate: async (token, now) => {
      const issuer = known.get(issuerIn(token))
      if (issuer === undefined) throw invalid()
      return callerOf(await verify(token, issuer, now), issuer)
    },
  }
}

const invalid = (): Refusal => new Refusal('Unauthorized', 'The token is not valid or has expired.')

/** What the token says of itself; nothing has been checked. */
function issuerIn(token: string): string {
  try {
    return decodeJwt(token).iss ?? ''
  } catch {
    return ''
  }
}

/** Keys come from the issuer alone: what the header says of keys (`jwk`, `jku`, `x5u`) is not looked at. */
async function verify(
  token: string,
  { issuer, keys }: { readonly issuer: string; readonly keys: Keys },
  now: Date,
): Promise<JWTPayload> {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, (header) => keys.find(header, now), {
      issuer,
      algorithms,
      currentDate: now,
      clockTolerance: leewaySeconds,
      requiredClaims: ['exp', 'aud', 'sub'],
    })
    if (accessTypes.includes(protectedHeader.typ?.toLowerCase())) return payload
  } catch (thrown) {
    if (thrown instanceof Refusal) throw thrown
    // Whatever is wrong with it, it is no token of theirs.
  }
  throw invalid()
}
