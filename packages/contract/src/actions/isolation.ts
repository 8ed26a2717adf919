import { Type, type Static } from 'typebox'
import { minutes, type ActionTypeRow } from './action-type.ts'

/** Isolate: nothing in or out but the control server. What *stands*: folded on the server, made so by the device (`posture.ts`). */
export const isolate = {
  permission: 'Machine.Isolate',
  reversible: true,
  runLimitMs: minutes(5),
  aspect: 'isolation',
} as const satisfies ActionTypeRow

/** Unisolate: the host as it was. Its cancel lets the isolation below show through again. */
export const unisolate = {
  permission: 'Machine.Isolate',
  reversible: true,
  runLimitMs: minutes(5),
  aspect: 'isolation',
} as const satisfies ActionTypeRow

/** How a host can stand. `Selective` lets a list of the tenant's pass as well (`wire.md` 1.2). */
export const isolationTypes = ['None', 'Full', 'Selective'] as const
export type IsolationType = (typeof isolationTypes)[number]

/** How the device is to stand once this action is the newest that counts. */
export const IsolationParameters = Type.Object({
  isolation: Type.Unsafe<IsolationType>({ type: 'string', enum: [...isolationTypes] }),
})
export type IsolationParameters = Static<typeof IsolationParameters>
