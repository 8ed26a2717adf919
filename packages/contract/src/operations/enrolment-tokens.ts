import { Type, type Static } from 'typebox'
import { ListOf, OrNull, Timestamp, oneOf } from '../machine-action.ts'
import type { Operation } from '../operation.ts'
import { administer } from '../permissions.ts'

/** What is known of a token; the token itself is shown once, when it is made. */
export const EnrolmentTokenEntry = Type.Object({
  id: Type.String(),
  state: oneOf(['Valid', 'Used', 'Expired', 'Revoked']),
  /** Null for a token that is older than this list. */
  createdDateTimeUtc: OrNull(Timestamp),
  createdBy: OrNull(Type.String()),
  expirationDateTimeUtc: Timestamp,
  /** The existing device that it is for; null for one that makes a new device. */
  machineId: OrNull(Type.String()),
  /** The device that has enrolled with it. */
  usedBy: OrNull(Type.String()),
  revokedDateTimeUtc: OrNull(Timestamp),
})
export type EnrolmentTokenEntry = Static<typeof EnrolmentTokenEntry>

/** Ours, not the reference's: how a further device is brought in. */
export const enrolmentTokens = {
  createEnrolmentToken: {
    summary: 'Makes a one-time token with which a further device is brought in.',
    method: 'POST',
    path: '/api/countermand/enrolmenttokens',
    permission: administer,
    limit: 'respond',
    target: 'none',
    body: Type.Object({
      /** An existing device that is to keep its id; left out, the token makes a new device. */
      MachineId: Type.Optional(Type.String()),
    }),
    status: 201,
    reply: Type.Object({
      '@odata.context': Type.String(),
      id: Type.String(),
      /** Given to the agent once: `countermand-agent --enrol TOKEN`. It cannot be asked for again. */
      enrolmentToken: Type.String(),
      expirationDateTimeUtc: Timestamp,
    }),
  },
  listEnrolmentTokens: {
    summary: 'Lists the tokens that were made, without the tokens themselves; newest first.',
    method: 'GET',
    path: '/api/countermand/enrolmenttokens',
    permission: administer,
    limit: 'read',
    target: 'none',
    status: 200,
    reply: ListOf(EnrolmentTokenEntry),
  },
  revokeEnrolmentToken: {
    summary: 'Revokes a token that no device has used: none can enrol with it any more.',
    method: 'DELETE',
    path: '/api/countermand/enrolmenttokens/:id',
    permission: administer,
    limit: 'manage',
    target: 'enrolmentToken',
    status: 204,
    reply: Type.Null(),
  },
} as const satisfies Record<string, Operation>
