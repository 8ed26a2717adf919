/**
 * Signatures made at once, without the runtime's thread pool, so that a run does not depend on who is faster; and cheap, so that
 * there can be many runs. They hold exactly as real ones do among people who forge nothing: nobody in a script does.
 */
import { createHash } from 'node:crypto'
import { vi } from 'vitest'

/** Public halves by key. */
const owners = new WeakMap<object, string>()

type Bytes = ArrayBuffer | ArrayBufferView

const view = (data: Bytes): Uint8Array =>
  ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data)

const exactly = (buffer: Buffer): ArrayBuffer => new Uint8Array(buffer).buffer

function mark(key: object, data: Bytes): Buffer {
  const owner = owners.get(key)
  if (owner === undefined) throw new Error('The key was not imported from a JWK.')
  return createHash('sha512').update(owner).update(view(data)).digest()
}

/** From here on; keys that were imported before are not known. */
export function signCheaply(): void {
  const { subtle } = globalThis.crypto
  const importKey = subtle.importKey.bind(subtle)
  vi.spyOn(subtle, 'importKey').mockImplementation(async (...given) => {
    const key = await importKey(...given)
    owners.set(key, (given[1] as { readonly x: string }).x)
    return key
  })
  vi.spyOn(subtle, 'sign').mockImplementation(async (_, key, data) => exactly(mark(key, data)))
  vi.spyOn(subtle, 'verify').mockImplementation(async (_, key, signature, data) =>
    mark(key, data).equals(view(signature)),
  )
  vi.spyOn(subtle, 'digest').mockImplementation(async (_, data) =>
    exactly(createHash('sha256').update(view(data)).digest()),
  )
}
