/** The runtime's own signatures, made at once instead of in its thread pool: a run must not depend on who is faster. */
import { createHash, createPrivateKey, createPublicKey, sign, verify, type JsonWebKeyInput, type KeyObject } from 'node:crypto'
import { vi } from 'vitest'

const keys = new WeakMap<object, KeyObject>()

function keyOf(key: CryptoKey): KeyObject {
  const known = keys.get(key)
  if (known === undefined) throw new Error('The key was not imported from a JWK.')
  return known
}

const bytes = (data: ArrayBuffer | ArrayBufferView): Uint8Array =>
  ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data)

const exactly = (buffer: Buffer): ArrayBuffer => new Uint8Array(buffer).buffer

/** From here on; keys that were imported before are not known. */
export function signAtOnce(): void {
  const { subtle } = globalThis.crypto
  const importKey = subtle.importKey.bind(subtle)
  vi.spyOn(subtle, 'importKey').mockImplementation(async (...given) => {
    const key = await importKey(...given)
    const from = { key: given[1] as JsonWebKeyInput['key'], format: 'jwk' as const }
    keys.set(key, key.type === 'private' ? createPrivateKey(from) : createPublicKey(from))
    return key
  })
  vi.spyOn(subtle, 'sign').mockImplementation(async (_, key, data) =>
    exactly(sign(null, bytes(data), keyOf(key))),
  )
  vi.spyOn(subtle, 'verify').mockImplementation(async (_, key, signature, data) =>
    verify(null, bytes(data), keyOf(key), bytes(signature)),
  )
  vi.spyOn(subtle, 'digest').mockImplementation(async (_, data) =>
    exactly(createHash('sha256').update(bytes(data)).digest()),
  )
}
