/** The gate that nothing passes without: signed by the pinned order key, of the right kind, in answer to our latest nonce. */
import { Reply, fits } from '@countermand/contract'
import { EmbeddedJWK, calculateJwkThumbprint, compactVerify } from 'jose'

/** The payload of a message by the order key; null for any other. */
export async function openOrder(
  jws: string,
  expected: { readonly type: string; readonly orderKey: string },
): Promise<unknown> {
  try {
    const { payload, protectedHeader } = await compactVerify(jws, EmbeddedJWK, { algorithms: ['EdDSA'] })
    const { jwk, typ } = protectedHeader
    // Whoever signed brought the key along; it counts only if it is the pinned one.
    if (typ !== expected.type || jwk === undefined) return null
    if ((await calculateJwkThumbprint(jwk)) !== expected.orderKey) return null
    return JSON.parse(new TextDecoder().decode(payload))
  } catch {
    return null
  }
}

/** A reply that is meant for this device and answers this nonce; null for any other, recorded ones included. */
export async function openReply(
  jws: string,
  expected: {
    readonly type: string
    readonly orderKey: string
    readonly machineId: string
    readonly nonce: string
  },
): Promise<Reply | null> {
  const reply = await openOrder(jws, expected)
  if (!fits(Reply, reply)) return null
  return reply.nonce === expected.nonce && reply.machineId === expected.machineId ? reply : null
}
