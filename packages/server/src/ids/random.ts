import { randomBytes, randomUUID } from 'node:crypto'
import type { Ids } from '../app/ports.ts'

/** Ids from the machine's randomness. */
export const randomIds: Ids = {
  action: (now) => uuidv7(now.getTime(), randomBytes(10)),
  device: () => randomBytes(20).toString('hex'),
  guid: () => randomUUID(),
  secret: () => randomBytes(32).toString('base64url'),
}

/** RFC 9562 5.7: 48 bits of milliseconds, then version, variant and 74 random bits. */
export function uuidv7(timeMs: number, random: Uint8Array): string {
  const bytes = new Uint8Array(16)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(timeMs) << 16n)
  bytes.set(random.subarray(0, 10), 6)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = Buffer.from(bytes).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
