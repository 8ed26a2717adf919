import { Type, type Static } from 'typebox'
import { minutes, standTypes, type ActionTypeRow, type StandType } from './action-type.ts'

/** Isolate: nothing in or out but the control server. What *stands*: folded on the server, made so by the device (`posture.ts`). */
export const isolate = {
  permission: 'Machine.Isolate',
  reversible: true,
  runLimitMs: minutes(5),
  aspect: 'isolation',
  inverse: 'Unisolate',
} as const satisfies ActionTypeRow

/** Unisolate: the host as it was. Its cancel lets the isolation below show through again. */
export const unisolate = {
  permission: 'Machine.Isolate',
  reversible: true,
  runLimitMs: minutes(5),
  aspect: 'isolation',
} as const satisfies ActionTypeRow

/** How the device is to stand once this action is the newest that counts. */
export const IsolationParameters = Type.Object({
  isolation: Type.Unsafe<StandType>({ type: 'string', enum: [...standTypes] }),
})
export type IsolationParameters = Static<typeof IsolationParameters>
