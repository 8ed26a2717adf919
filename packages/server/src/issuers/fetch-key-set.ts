/** Asks an issuer where its keys are (OpenID Connect Discovery 4), and for them. */
import type { JSONWebKeySet } from 'jose'
import type { TrustedIssuer } from '../core/access-token.ts'

/** For both questions together. */
const withinMs = 3_000

/** @throws Error saying why there is no answer that can be used */
export async function fetchKeySet({
  issuer,
  jwksUri,
}: Pick<TrustedIssuer, 'issuer' | 'jwksUri'>): Promise<JSONWebKeySet> {
  const signal = AbortSignal.timeout(withinMs)
  const url = jwksUri ?? (await discover(issuer, signal))
  const { keys } = await fetchJson(url, signal)
  if (!Array.isArray(keys)) throw new Error(`${url} holds no keys.`)
  return { keys }
}

/** A document that speaks for another issuer would let that one's keys in. */
async function discover(issuer: string, signal: AbortSignal): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const { issuer: named, jwks_uri: keysAt } = await fetchJson(url, signal)
  if (named !== issuer) throw new Error(`${url} is of the issuer ${String(named)}, not of ${issuer}.`)
  if (typeof keysAt !== 'string' || !isTrustworthy(keysAt, issuer))
    throw new Error(`${url} names no jwks_uri with https.`)
  return keysAt
}

const loopback = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/]/i

/** Plain HTTP can be changed on its way; on this host it has none. */
const isTrustworthy = (url: string, issuer: string): boolean =>
  url.startsWith('https://') || (loopback.test(url) && loopback.test(issuer))

async function fetchJson(url: string, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
  // Where the keys are is said by the document or by the configuration, not by whoever redirects.
  const answer = await fetch(url, { signal, redirect: 'error', headers: { accept: 'application/json' } })
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}.`)
  const body: unknown = await answer.json()
  if (typeof body !== 'object' || body === null) throw new Error(`${url} answers no JSON object.`)
  return { ...body }
}
