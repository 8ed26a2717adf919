/** The runtime's own signatures, made at once instead of in its thread pool: a run must not depend on who is faster. */
import { createHash, KeyObject, sign, verify, type webcrypto } from 'node:crypto'
import { vi } from 'vitest'

const keys = new WeakMap<webcrypto.CryptoKey, KeyObject>()

function keyOf(key: webcrypto.CryptoKey): KeyObject {
  const known = keys.get(key) ?? KeyObject.from(key)
  keys.set(key, known)
  return known
}

const view = (data: webcrypto.BufferSource): Uint8Array =>
  ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data)

const exactly = (bytes: Buffer): ArrayBuffer => new Uint8Array(bytes).buffer

export function signAtOnce(): void {
  const { subtle } = globalThis.crypto
  vi.spyOn(subtle, 'sign').mockImplementation(async (_, key, data) => exactly(sign(null, view(data), keyOf(key))))
  vi.spyOn(subtle, 'verify').mockImplementation(async (_, key, signature, data) =>
    verify(null, view(data), keyOf(key), view(signature)),
  )
  vi.spyOn(subtle, 'digest').mockImplementation(async (_, data) =>
    exactly(createHash('sha256').update(view(data)).digest()),
  )
}
