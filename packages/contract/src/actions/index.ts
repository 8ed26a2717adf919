import type { ActionTypeRow } from './action-type.ts'
import { liveResponse } from './live-response.ts'

/** The closed list of action types; a new one is a file beside this one and a line here. */
export const actionTypes = ['LiveResponse'] as const
export type ActionType = (typeof actionTypes)[number]

export const actions = {
  LiveResponse: liveResponse,
} as const satisfies Record<ActionType, ActionTypeRow>

export type { ActionTypeRow } from './action-type.ts'
