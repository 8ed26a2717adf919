import { Type, type Static } from 'typebox'
import { OrNull, Timestamp } from './machine-action.ts'

/** A secret of an application, in the words of Microsoft Entra. The secret itself is shown once, when it is made. */
export const PasswordCredential = Type.Object({
  keyId: Type.String(),
  displayName: OrNull(Type.String()),
  /** Its first three characters; null where it is older than this list. */
  hint: OrNull(Type.String()),
  startDateTime: OrNull(Timestamp),
  /** Null for a secret that does not expire. */
  endDateTime: OrNull(Timestamp),
})
export type PasswordCredential = Static<typeof PasswordCredential>

export const Application = Type.Object({
  '@odata.context': Type.Optional(Type.String()),
  clientId: Type.String(),
  objectId: Type.String(),
  /** Written on actions as the requestor. */
  displayName: Type.String(),
  enabled: Type.Boolean(),
  permissions: Type.Array(Type.String()),
  createdDateTime: OrNull(Timestamp),
  passwordCredentials: Type.Array(PasswordCredential),
})
export type Application = Static<typeof Application>

/** Secrets of one application at the same time, those that have expired and were not removed included. */
export const mostSecrets = 5
/** In days; what Entra allows at most is 24 months. */
export const longestSecretDays = 730
