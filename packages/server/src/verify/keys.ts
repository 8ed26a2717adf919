/** The keys by which a device could speak, in the order of its enrolments. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { canonical } from '@countermand/contract'
import type { Selectable } from 'kysely'
import { digestOf } from '../store/events.ts'
import type { DeviceRow } from '../store/schema.ts'
import { placeOf, type Data, type Event } from './chain.ts'
import { Fault, isObject, parsed } from './fault.ts'

export interface DeviceKey {
  readonly thumbprint: string
  /** Null where only its thumbprint was kept: nothing can be checked by it. */
  readonly key: KeyObject | null
}

interface Jwk {
  readonly crv?: unknown
  readonly kty?: unknown
  readonly x?: unknown
}

/** RFC 7638; its text happens to be our canonical one. */
export const thumbprintOf = ({ crv, kty, x }: Jwk): string => digestOf(canonical({ crv, kty, x }))

/** The key of a `device.enrolled` event. @throws Fault where it is not the one that is named. */
export function enrolledKey(
  row: Event,
  { key, publicKey }: Data,
  device: Selectable<DeviceRow> | null,
): DeviceKey {
  const where = placeOf(row)
  if (typeof key !== 'string') throw new Fault('rewritten history', where, 'it names no key')
  if (publicKey !== undefined) return { thumbprint: key, key: imported(publicKey, key, where) }
  // Written before the event carried the key itself: the device's row has the last one.
  if (device === null || device.key_thumbprint !== key) return { thumbprint: key, key: null }
  const own = 'devices: its row'
  return { thumbprint: key, key: imported(parsed(device.public_key, isObject, own), key, own) }
}

function imported(jwk: unknown, thumbprint: string, where: string): KeyObject {
  const known: Jwk = isObject(jwk) ? jwk : {}
  const { kty, crv, x } = known
  if (thumbprintOf(known) === thumbprint && typeof x === 'string' && kty === 'OKP' && crv === 'Ed25519') {
    try {
      return createPublicKey({ key: { kty, crv, x }, format: 'jwk' })
    } catch {
      // Said below: a key that is none is not the device's either.
    }
  }
  throw new Fault(
    'changed row',
    where,
    `the public key in it is not the one with the thumbprint ${thumbprint}`,
  )
}

/** The device's row must have the key of its last enrolment. @throws Fault */
export function checkKeyOfRow(device: Selectable<DeviceRow>, last: DeviceKey | undefined): void {
  const where = 'devices: its row'
  if (device.key_thumbprint !== (last?.thumbprint ?? null)) {
    const what = `it has the key ${device.key_thumbprint}, and the last enrolment was of ${last?.thumbprint ?? 'none'}`
    throw new Fault('changed row', where, what)
  }
  if (last !== undefined) imported(parsed(device.public_key, isObject, where), last.thumbprint, where)
}

/** What keeps a device from speaking stands in its row and in its events. @throws Fault */
export function checkSilenceOfRow(
  device: Selectable<DeviceRow>,
  told: Pick<DeviceRow, 'key_revoked_at' | 'retired_at' | 'offboarded_at'>,
): void {
  for (const name of ['key_revoked_at', 'retired_at', 'offboarded_at'] as const) {
    if (device[name] === told[name]) continue
    const what = `its ${name} is ${device[name]}, and by its events it is ${told[name]}`
    throw new Fault('changed row', 'devices: its row', what)
  }
}
