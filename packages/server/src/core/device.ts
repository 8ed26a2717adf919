/** What the server knows of a device, and the order in which it takes its statements. */
import type { Capabilities, ChainHead, Facts, Machine, Progress } from '@countermand/contract'
import { Refusal } from './errors.ts'
import type { Stances } from './posture.ts'
import { seenAddresses, seenLogons, type AddressSeen, type Logon } from './sightings.ts'

export interface Device {
  /** 40 hex digits. */
  readonly id: string
  readonly name: string
  /** Public key as a JWK; null until the device has enrolled. */
  readonly key: Readonly<Record<string, unknown>> | null
  readonly keyThumbprint: string | null
  readonly facts: Facts | null
  readonly capabilities: Capabilities
  readonly firstSeen: Date
  readonly lastSeen: Date | null
  readonly lastAddress: string | null
  readonly tags: readonly string[]
  readonly deviceValue: Machine['deviceValue']
  readonly addresses: readonly AddressSeen[]
  /** Who was signed in, the latest last. */
  readonly logons: readonly Logon[]
  readonly order: StatementOrder
  /** Its chain of events here. */
  readonly head: ChainHead
  /** That chain as the device last reported it, from the last reply that it took. */
  readonly reportedHead: ChainHead | null
  /** How far its actions are, as its last statement had it; null where that said nothing. */
  readonly progress: readonly Progress[] | null
  /** By people; it stands instead of its own. Null where nobody gave it one. */
  readonly givenName: string | null
  /** Since then its key may not speak, until it has enrolled anew. */
  readonly keyRevokedAt: Date | null
  /** Out of service since then, until it has enrolled anew. */
  readonly retiredAt: Date | null
  /** Since then it has no key any more, given up by itself, until it has enrolled anew. */
  readonly offboardedAt: Date | null
  /** How it stands, and is to stand. */
  readonly stances: Stances
}

/** Three of them may not speak: a key that was revoked, a device that was retired, and one that was offboarded. */
export type DeviceState = 'Announced' | 'Enrolled' | 'KeyRevoked' | 'Offboarded' | 'Retired'

export function stateOf({
  key,
  keyRevokedAt,
  retiredAt,
  offboardedAt,
}: Pick<Device, 'key' | 'keyRevokedAt' | 'retiredAt' | 'offboardedAt'>): DeviceState {
  if (retiredAt !== null) return 'Retired'
  if (offboardedAt !== null) return 'Offboarded'
  if (key === null) return 'Announced'
  return keyRevokedAt === null ? 'Enrolled' : 'KeyRevoked'
}

/** Why what a device signs is not taken, though its signature holds; null where it is. */
export function whySilent(device: Device): string | null {
  switch (stateOf(device)) {
    case 'Retired':
      return 'This device was retired here. To bring it back, enrol it again with a token that was made for it.'
    case 'KeyRevoked':
      return 'The key of this device was revoked here. Enrol it again with a token that was made for it.'
    case 'Offboarded':
      return 'This device was offboarded here. To bring it back, enrol it again with a token that was made for it.'
    case 'Announced':
    case 'Enrolled':
      return null
  }
}

/** In characters; what DNS allows a whole name. */
const longestName = 253

/** A given name stands where clients expect that of a host. @throws Refusal InvalidInput; null takes it back */
export function renamed(device: Device, givenName: string | null): Device {
  if (
    givenName !== null &&
    (givenName.length > longestName || !/^[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?$/.test(givenName))
  ) {
    throw new Refusal(
      'InvalidInput',
      `A displayName must be like a host's: letters, digits, "-", "_" and ".", at most ${longestName} characters.`,
    )
  }
  return { ...device, givenName, name: givenName ?? device.facts?.hostName ?? device.name }
}

/** What a device says of itself, as it is kept of it. */
export function portrayed(
  device: Device,
  facts: Facts,
  at: Date,
): Pick<Device, 'name' | 'facts' | 'addresses' | 'logons'> {
  const { lastSeen } = device
  return {
    name: device.givenName ?? facts.hostName,
    facts,
    addresses: seenAddresses(device.addresses, facts, { at, lastSeen }),
    logons: seenLogons(device.logons, facts, at),
  }
}

/** How far a device's statements and news have been taken. */
export interface StatementOrder {
  /** `seq` and digest of the last statement taken; 0 and the key's thumbprint before the first. */
  readonly seq: number
  readonly digest: string
  /** Digests of statements taken lately, the last one included: a copy of one of them is a replay. */
  readonly recent: readonly string[]
  /** From this `seq` on `recent` has a gap nowhere; what was taken before a restore is not remembered. */
  readonly completeFrom: number
  /** Number and digest of the last news item taken. */
  readonly news: number
  readonly newsDigest: string
  /** Its statements contradict what was taken: copied or rolled back. Nothing more is taken until it enrols anew. */
  readonly forked: boolean
}

/** A device that has not synced for this long is not there: three idle syncs missed. */
export const inactiveAfterMs = 15 * 60_000

export type Health = 'Unknown' | 'Inactive' | 'Active'

export function healthOf(
  { lastSeen, offboardedAt }: Pick<Device, 'lastSeen' | 'offboardedAt'>,
  now: Date,
): Health {
  if (lastSeen === null) return 'Unknown'
  if (offboardedAt !== null) return 'Inactive'
  return now.getTime() - lastSeen.getTime() > inactiveAfterMs ? 'Inactive' : 'Active'
}

export const recentStatements = 64

export const startOrder = (keyThumbprint: string): StatementOrder => ({
  seq: 0,
  digest: keyThumbprint,
  recent: [],
  completeFrom: 1,
  news: 0,
  newsDigest: keyThumbprint,
  forked: false,
})

export type Verdict =
  /** The next one. */
  | 'take'
  /** Taken before: changes nothing, and is answered with the present state. */
  | 'replay'
  /** Older than what is remembered: a recorded copy, or a device rolled back far. Changes nothing. */
  | 'late'
  /** Two histories under one identity. */
  | 'forked'

/** A server that was restored has forgotten statements; it shows by an epoch that the device does not know yet. */
export function judge(
  order: StatementOrder,
  statement: { readonly seq: number; readonly previous: string; readonly digest: string },
  isRestored: boolean,
): Verdict {
  if (order.recent.includes(statement.digest)) return 'replay'
  if (order.forked) return 'forked'
  if (statement.seq === order.seq + 1 && statement.previous === order.digest) return 'take'
  if (statement.seq > order.seq && isRestored) return 'take'
  const known = Math.max(order.completeFrom, order.seq - recentStatements + 1)
  return statement.seq < known ? 'late' : 'forked'
}

/**
 * Does what a device has kept of our history not fit our history? It cannot have seen more of it than there is, nor
 * another end of the same length: ours was cut off or rewritten, or restored from a backup.
 */
export const contradicts = (head: ChainHead, reported: ChainHead): boolean =>
  reported.sequence > head.sequence ||
  (reported.sequence === head.sequence && reported.sequence > 0 && reported.digest !== head.digest)

export const taken = (order: StatementOrder, seq: number, digest: string): StatementOrder => ({
  ...order,
  seq,
  digest,
  completeFrom: seq === order.seq + 1 ? order.completeFrom : seq,
  recent: [...order.recent.slice(1 - recentStatements), digest],
})
