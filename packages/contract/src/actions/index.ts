import { Type, type Static } from 'typebox'
import type { ActionTypeRow, Aspect } from './action-type.ts'
import { CollectParameters, collectInvestigationPackage } from './collect.ts'
import { IsolationParameters, isolate, unisolate } from './isolation.ts'
import { LiveResponseParameters, liveResponse, type LiveResponseCommand } from './live-response.ts'
import { RestrictionParameters, restrictCodeExecution, unrestrictCodeExecution } from './restriction.ts'
import { OffboardParameters, offboard } from './offboard.ts'
import { QuarantineParameters, stopAndQuarantineFile } from './quarantine.ts'
import { ScanParameters, runAntiVirusScan } from './scan.ts'

/** The closed list of action types; a new one is a file beside this one and a line here. */
export const actionTypes = [
  'LiveResponse',
  'CollectInvestigationPackage',
  'RunAntiVirusScan',
  'StopAndQuarantineFile',
  'Isolate',
  'Unisolate',
  'RestrictCodeExecution',
  'UnrestrictCodeExecution',
  'Offboard',
] as const
export type ActionType = (typeof actionTypes)[number]

export const actions = {
  LiveResponse: liveResponse,
  CollectInvestigationPackage: collectInvestigationPackage,
  RunAntiVirusScan: runAntiVirusScan,
  StopAndQuarantineFile: stopAndQuarantineFile,
  Isolate: isolate,
  Unisolate: unisolate,
  RestrictCodeExecution: restrictCodeExecution,
  UnrestrictCodeExecution: unrestrictCodeExecution,
  Offboard: offboard,
} as const satisfies Record<ActionType, ActionTypeRow>

type Rows = typeof actions
/** What the host stands as once they are done, as their rows say; the others run and end. */
export type PostureType = {
  [Type in ActionType]: Rows[Type] extends { readonly aspect: Aspect } ? Type : never
}[ActionType]
export type RunType = Exclude<ActionType, PostureType>

/** Null for an action that runs and ends. */
export const aspectOf = (type: ActionType): Aspect | null => {
  const row: ActionTypeRow = actions[type]
  return row.aspect ?? null
}
export const isRunType = (type: ActionType): type is RunType => aspectOf(type) === null
export const runTypes = actionTypes.filter(isRunType)

/** What a device is sent with an action of some type. */
export const ActionParameters = Type.Union([
  LiveResponseParameters,
  CollectParameters,
  ScanParameters,
  QuarantineParameters,
  IsolationParameters,
  RestrictionParameters,
  OffboardParameters,
])
export type ActionParameters = Static<typeof ActionParameters>

/** The commands of a live response; none of anything else. */
export const commandsOf = (parameters: ActionParameters): readonly LiveResponseCommand[] =>
  'commands' in parameters ? parameters.commands : []

export { aspects, standTypes } from './action-type.ts'
export type { ActionTypeRow, Aspect, StandType } from './action-type.ts'
