/**
 * The published keys of one issuer, asked for when they are needed. jose has this too (`createRemoteJWKSet`), but it lets no known key count
 * while the issuer is away, and asks again for every token as long as it gets no answer.
 */
import { createLocalJWKSet, errors, type CryptoKey, type JWSHeaderParameters } from 'jose'
import type { TrustedIssuer } from '../core/access-token.ts'
import { Refusal } from '../core/errors.ts'
import { fetchKeySet } from './fetch-key-set.ts'

export type Failed = (issuer: string, reason: unknown) => void

export interface Keys {
  /**
   * The key that the header means.
   * @throws Refusal ServiceUnavailable while the issuer cannot be asked for one that is not known; an error where there is none
   */
  find(header: JWSHeaderParameters, now: Date): Promise<CryptoKey>
}

/** A set this old is asked for again. So long a key that the issuer has withdrawn may go on counting. */
const freshMs = 10 * 60_000
/** So long known keys count while the issuer does not answer; no token lives longer. */
const keptMs = 24 * 60 * 60_000
/** From one question to the next, whatever tokens name: made-up keys must not make us a burden to the issuer. */
const restMs = 30_000
const restAfterFailureMs = 10_000

interface KeySet {
  readonly match: (header: JWSHeaderParameters) => Promise<CryptoKey>
  readonly at: number
}

export function openKeys(source: Pick<TrustedIssuer, 'issuer' | 'jwksUri'>, failed: Failed): Keys {
  let kept: KeySet | null = null
  let restsUntil = 0
  let hasFailed = false
  let asking: Promise<void> | null = null

  async function ask(at: number): Promise<void> {
    try {
      kept = { match: createLocalJWKSet(await fetchKeySet(source)), at }
      hasFailed = false
    } catch (thrown) {
      hasFailed = true
      failed(source.issuer, thrown)
    }
    restsUntil = at + (hasFailed ? restAfterFailureMs : restMs)
    asking = null
  }
  /** One question for everybody who waits. */
  function refresh(at: number): Promise<void> {
    if (asking === null && at >= restsUntil) asking = ask(at)
    return asking ?? Promise.resolve()
  }
  const known = (header: JWSHeaderParameters, at: number, mostMs: number): Promise<CryptoKey | null> =>
    kept !== null && at - kept.at < mostMs ? keyIn(kept, header) : Promise.resolve(null)

  return {
    find: async (header, now) => {
      const at = now.getTime()
      const fresh = await known(header, at, freshMs)
      if (fresh !== null) return fresh
      await refresh(at)
      const key = await known(header, at, keptMs)
      if (key !== null) return key
      if (hasFailed) throw unreachable(source.issuer, restsUntil - at)
      throw new Error('There is no such key.')
    },
  }
}

const unreachable = (issuer: string, waitMs: number): Refusal =>
  new Refusal(
    'ServiceUnavailable',
    `The token cannot be checked: its issuer ${issuer} does not answer.`,
    Math.max(1, Math.ceil(waitMs / 1_000)),
  )

async function keyIn({ match }: KeySet, header: JWSHeaderParameters): Promise<CryptoKey | null> {
  try {
    return await match(header)
  } catch (thrown) {
    if (thrown instanceof errors.JWKSNoMatchingKey) return null
    throw thrown
  }
}
