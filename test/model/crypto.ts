/**
 * Signatures made at once, without the runtime's thread pool, so that a run does not depend on who is faster; and cheap, so that
 * there can be many runs. They hold exactly as real ones do among people who forge nothing: nobody in a script does.
 */
import { createHash, type webcrypto } from 'node:crypto'
import { stage } from './stage.ts'

/** So often a device may enrol again in one run. */
export const mostEnrolments = 3

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
export async function signCheaply(): Promise<void> {
  const { subtle } = globalThis.crypto
  const pairs: unknown[] = []
  for (let n = 0; n <= mostEnrolments; n += 1)
    pairs.push(await subtle.generateKey('Ed25519', true, ['sign', 'verify']))
  const importKey = subtle.importKey.bind(subtle)
  const generateKey = subtle.generateKey.bind(subtle)
  const imported = new Map<string, Promise<webcrypto.CryptoKey>>()
  // Without a spy, which would remember every call.
  Object.assign(subtle, {
    importKey: (...given: Parameters<typeof importKey>): Promise<webcrypto.CryptoKey> => {
      const { x, d } = given[1] as unknown as { readonly x: string; readonly d?: string }
      const key = imported.get(`${x} ${d}`) ?? importKey(...given)
      imported.set(`${x} ${d}`, key)
      return key.then((known) => {
        owners.set(known, x)
        return known
      })
    },
    // Keys of their own would make each run another one.
    generateKey: async (...given: Parameters<typeof generateKey>) =>
      stage.outside === null ? generateKey(...given) : pairs[stage.outside.nextKey()],
    sign: async (_: unknown, key: object, data: Bytes) => exactly(mark(key, data)),
    verify: async (_: unknown, key: object, signature: Bytes, data: Bytes) =>
      mark(key, data).equals(view(signature)),
    digest: async (_: unknown, data: Bytes) => exactly(createHash('sha256').update(view(data)).digest()),
  })
}
