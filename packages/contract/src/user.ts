import { Type, type Static } from 'typebox'
import { OrNull, Timestamp } from './machine-action.ts'

/** Somebody who was signed in on a machine, in the key order of the reference (`wire.md` 12.2). */
export const User = Type.Object({
  /** `domain\name`; of an account of the host itself, the host is the domain. */
  id: Type.String(),
  accountName: Type.String(),
  accountDomain: Type.String(),
  firstSeen: Timestamp,
  lastSeen: Timestamp,
  logonTypes: Type.String({ description: 'several are parted by ", "' }),
  isDomainAdmin: Type.Boolean(),
  isOnlyNetworkUser: Type.Boolean(),
  accountSid: OrNull(Type.String()),
})
export type User = Static<typeof User>
