import { Type, type Static } from 'typebox'
import type { ActionTypeRow } from './action-type.ts'
import { CollectParameters, collectInvestigationPackage } from './collect.ts'
import { LiveResponseParameters, liveResponse, type LiveResponseCommand } from './live-response.ts'
import { ScanParameters, runAntiVirusScan } from './scan.ts'

/** The closed list of action types; a new one is a file beside this one and a line here. */
export const actionTypes = ['LiveResponse', 'CollectInvestigationPackage', 'RunAntiVirusScan'] as const
export type ActionType = (typeof actionTypes)[number]

export const actions = {
  LiveResponse: liveResponse,
  CollectInvestigationPackage: collectInvestigationPackage,
  RunAntiVirusScan: runAntiVirusScan,
} as const satisfies Record<ActionType, ActionTypeRow>

/** What a device is sent with an action of some type. */
export const ActionParameters = Type.Union([LiveResponseParameters, CollectParameters, ScanParameters])
export type ActionParameters = Static<typeof ActionParameters>

/** The commands of a live response; none of anything else. */
export const commandsOf = (parameters: ActionParameters): readonly LiveResponseCommand[] =>
  'commands' in parameters ? parameters.commands : []

export type { ActionTypeRow } from './action-type.ts'
