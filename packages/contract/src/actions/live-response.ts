import { Type, type Static } from 'typebox'
import { minutes, type ActionTypeRow } from './action-type.ts'

/** LiveResponse: commands that run on the device one after the other. A stopped script is not undone; a file that was put is. */
export const liveResponse = {
  permission: 'Machine.LiveResponse',
  reversible: false,
  runLimitMs: minutes(10),
} as const satisfies ActionTypeRow

/** How long each command may take (`wire.md` 3.4); a live response may take the sum of its commands. */
export const commandLimitsMs = {
  PutFile: minutes(30),
  RunScript: liveResponse.runLimitMs,
  GetFile: minutes(30),
}
/** The largest file that GetFile brings (`wire.md` 3.4). */
export const getFileLimit = 3 * 1024 ** 3
/** The largest file that PutFile brings to a Linux device, unless configured otherwise (`wire.md` 3.4). */
export const putFileLimit = 10 * 1024 ** 2
/** Live responses that may be open at the same time, waiting ones included (`wire.md` 3.4). */
export const liveResponseSessions = 25

const pinned = { sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }), size: Type.Integer() }
const limited = { limitMs: Type.Integer({ minimum: 1 }) }

/** A file of the library that is put on the device, pinned by its hash when the action was issued. */
export const PutFile = Type.Object({
  type: Type.Literal('PutFile'),
  fileName: Type.String(),
  ...pinned,
  ...limited,
})
export type PutFile = Static<typeof PutFile>

/** A script as it is sent to the device: pinned by its hash when the action was issued, arguments already split. */
export const RunScript = Type.Object({
  type: Type.Literal('RunScript'),
  scriptName: Type.String(),
  ...pinned,
  args: Type.Array(Type.String()),
  /** `Args` as they were asked for, for the echo; null where they were left out. */
  asked: Type.Union([Type.String(), Type.Null()]),
  ...limited,
})
export type RunScript = Static<typeof RunScript>

/** A file of the device that is brought to the server, compressed. */
export const GetFile = Type.Object({
  type: Type.Literal('GetFile'),
  path: Type.String(),
  /** In bytes, before compression. */
  limit: Type.Integer({ minimum: 1 }),
  ...limited,
})
export type GetFile = Static<typeof GetFile>

export const LiveResponseCommand = Type.Union([PutFile, RunScript, GetFile])
export type LiveResponseCommand = Static<typeof LiveResponseCommand>

export const LiveResponseParameters = Type.Object({
  commands: Type.Array(LiveResponseCommand, { minItems: 1, maxItems: 100 }),
})
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
