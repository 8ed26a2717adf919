import { Type, type Static } from 'typebox'
import { minutes, type ActionTypeRow } from './action-type.ts'

/** CollectInvestigationPackage: looks at many things and brings them as one zip. It changes nothing, and leaves nothing. */
export const collectInvestigationPackage = {
  permission: 'Machine.CollectForensics',
  reversible: false,
  runLimitMs: minutes(60),
} as const satisfies ActionTypeRow

/** One item of a package that takes longer than this hangs: it is ended, and the package says so. */
export const packageItemLimitMs = 20_000
/** The largest package that a server keeps, in bytes. */
export const packageLimit = 1024 ** 3

export const CollectParameters = Type.Object({ itemLimitMs: Type.Integer({ minimum: 1 }) })
export type CollectParameters = Static<typeof CollectParameters>
