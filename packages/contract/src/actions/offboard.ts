import { Type, type Static } from 'typebox'
import { minutes, type ActionTypeRow } from './action-type.ts'

/**
 * Offboard: the device takes off what stands, gives its identity up and stops. What a cancel takes back before the commit point is
 * that it goes; after it nothing is, so it counts as not reversible.
 */
export const offboard = {
  permission: 'Machine.Offboard',
  reversible: false,
  runLimitMs: minutes(5),
} as const satisfies ActionTypeRow

export const OffboardParameters = Type.Object({ offboard: Type.Literal(true) })
export type OffboardParameters = Static<typeof OffboardParameters>
