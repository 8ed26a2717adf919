import { Type, type Static } from 'typebox'
import { minutes, type ActionTypeRow } from './action-type.ts'

/** RestrictCodeExecution: programs that no package has installed are not started. What *stands*, like an isolation. */
export const restrictCodeExecution = {
  permission: 'Machine.RestrictExecution',
  reversible: true,
  runLimitMs: minutes(5),
  aspect: 'restriction',
  inverse: 'UnrestrictCodeExecution',
} as const satisfies ActionTypeRow

/** UnrestrictCodeExecution: the host as it was. Its cancel lets the restriction below show through again. */
export const unrestrictCodeExecution = {
  permission: 'Machine.RestrictExecution',
  reversible: true,
  runLimitMs: minutes(5),
  aspect: 'restriction',
} as const satisfies ActionTypeRow

/** How the device is to stand once this action is the newest that counts. */
export const RestrictionParameters = Type.Object({
  restriction: Type.Unsafe<'None' | 'Full'>({ type: 'string', enum: ['None', 'Full'] }),
})
export type RestrictionParameters = Static<typeof RestrictionParameters>
