import { Type, type Static } from 'typebox'
import type { ActionTypeRow } from './action-type.ts'
import { CollectParameters, collectInvestigationPackage } from './collect.ts'
import { IsolationParameters, isolate, unisolate } from './isolation.ts'
import { LiveResponseParameters, liveResponse, type LiveResponseCommand } from './live-response.ts'
import { ScanParameters, runAntiVirusScan } from './scan.ts'

/** The closed list of action types; a new one is a file beside this one and a line here. */
export const actionTypes = [
  'LiveResponse',
  'CollectInvestigationPackage',
  'RunAntiVirusScan',
  'Isolate',
  'Unisolate',
] as const
export type ActionType = (typeof actionTypes)[number]

/** What the host stands as once they are done; the others run and end. */
export const postureTypes = ['Isolate', 'Unisolate'] as const satisfies readonly ActionType[]
export type PostureType = (typeof postureTypes)[number]
export type RunType = Exclude<ActionType, PostureType>
export const isRunType = (type: ActionType): type is RunType => !postureTypes.some((other) => other === type)
export const runTypes = actionTypes.filter(isRunType)

export const actions = {
  LiveResponse: liveResponse,
  CollectInvestigationPackage: collectInvestigationPackage,
  RunAntiVirusScan: runAntiVirusScan,
  Isolate: isolate,
  Unisolate: unisolate,
} as const satisfies Record<ActionType, ActionTypeRow>

/** What a host stands as, each folded by itself. */
export type Aspect = 'isolation'
/** Null for an action that runs and ends. */
export const aspectOf = (type: ActionType): Aspect | null => {
  const row: ActionTypeRow = actions[type]
  return row.aspect ?? null
}

/** What a device is sent with an action of some type. */
export const ActionParameters = Type.Union([
  LiveResponseParameters,
  CollectParameters,
  ScanParameters,
  IsolationParameters,
])
export type ActionParameters = Static<typeof ActionParameters>

/** The commands of a live response; none of anything else. */
export const commandsOf = (parameters: ActionParameters): readonly LiveResponseCommand[] =>
  'commands' in parameters ? parameters.commands : []

export type { ActionTypeRow } from './action-type.ts'
