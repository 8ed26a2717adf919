import type { ActionTypeRow } from './action-type.ts'
import { liveResponse } from './live-response.ts'

/** The closed list of action types; a new one is a file beside this one and a line here. */
export const actions = {
  LiveResponse: liveResponse,
} as const satisfies Record<string, ActionTypeRow>

export type ActionType = keyof typeof actions
export const actionTypes = Object.keys(actions) as [ActionType, ...ActionType[]]

export type { ActionTypeRow } from './action-type.ts'
