import { Type, type Static } from 'typebox'
import { minutes, type ActionTypeRow } from './action-type.ts'

/** LiveResponse: commands that run on the device one after the other. A stopped script is not undone. */
export const liveResponse = {
  permission: 'Machine.LiveResponse',
  reversible: false,
  runLimitMs: minutes(10),
} as const satisfies ActionTypeRow

/** A script as it is sent to the device: pinned by its hash when the action was issued, arguments already split. */
export const RunScript = Type.Object({
  type: Type.Literal('RunScript'),
  scriptName: Type.String(),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  size: Type.Integer(),
  args: Type.Array(Type.String()),
  /** `Args` as they were asked for, for the echo; null where they were left out. */
  asked: Type.Union([Type.String(), Type.Null()]),
})
export type RunScript = Static<typeof RunScript>

export const LiveResponseParameters = Type.Object({ commands: Type.Array(RunScript, { minItems: 1 }) })
export type LiveResponseParameters = Static<typeof LiveResponseParameters>

/** The result file of a RunScript (`wire.md` 3.3), and what it cannot say in `countermand`. */
export const RunScriptResult = Type.Object({
  script_name: Type.String(),
  exit_code: Type.Union([Type.Integer(), Type.Null()]),
  script_output: Type.String(),
  script_errors: Type.String(),
  countermand: Type.Object({
    /** True where a stream was longer than the cap and only its beginning was kept. */
    outputTruncated: Type.Boolean(),
    /** What the script left running when it ended; all of it was ended too. */
    leftRunning: Type.Array(Type.Object({ pid: Type.Integer(), command: Type.String() })),
  }),
})
export type RunScriptResult = Static<typeof RunScriptResult>
