import { Type, type Static, type TSchema } from 'typebox'
import { actionTypes } from './actions/index.ts'
import { Quarantined } from './actions/quarantine.ts'
import { Finding } from './actions/scan.ts'
import { cancelStates, effects, phases, proofs, reasons } from './lifecycle.ts'

const OrNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Timestamp = Type.String({ description: 'UTC, up to seven fraction digits, trailing zeros dropped' })
const oneOf = <const Words extends readonly string[]>(words: Words) =>
  Type.Unsafe<Words[number]>({ type: 'string', enum: [...words] })

export const statuses = ['Pending', 'InProgress', 'Succeeded', 'Failed', 'TimeOut', 'Cancelled'] as const
export type Status = (typeof statuses)[number]

/** One live response command as it is sent, echoed and run (`wire.md` 3). */
export const Command = Type.Object({
  type: oneOf(['PutFile', 'RunScript', 'GetFile']),
  params: Type.Array(Type.Object({ key: Type.String(), value: Type.String() })),
})
export type Command = Static<typeof Command>

export const commandStatuses = ['Created', 'Completed', 'Failed'] as const
export const CommandState = Type.Object({
  index: Type.Integer(),
  startTime: OrNull(Timestamp),
  endTime: OrNull(Timestamp),
  commandStatus: oneOf(commandStatuses),
  errors: Type.Array(Type.String()),
  command: Command,
})

/** One request to cancel: `why` it was refused, or null. */
const CancelRequest = Type.Object({
  requestor: OrNull(Type.String()),
  comment: OrNull(Type.String()),
  requestedDateTimeUtc: Timestamp,
  why: OrNull(Type.String()),
})

/** What we know beyond the reference's six words. Clients of the original API ignore it. */
export const Extension = Type.Object({
  /** Grows with every change; what `expectedVersion` of a cancel means. */
  version: Type.Integer(),
  phase: oneOf(phases),
  cancel: OrNull(
    Type.Object({
      state: oneOf(cancelStates),
      requestor: Type.String(),
      comment: OrNull(Type.String()),
      requestedDateTimeUtc: Timestamp,
      deadlineUtc: OrNull(Timestamp),
      graceSeconds: Type.Integer(),
      detail: OrNull(Type.String()),
      /** The later action that says otherwise, where that took this one back. */
      supersededBy: OrNull(Type.String()),
      /** Every request to cancel it, the refused ones too, oldest first. Only where a single action is read; while none was taken, its events tell. */
      requests: Type.Optional(Type.Array(CancelRequest)),
    }),
  ),
  effect: Type.Object({ state: oneOf(effects), residues: Type.Array(Type.String()) }),
  proof: OrNull(oneOf(proofs)),
  reason: OrNull(oneOf(reasons)),
  deadlineUtc: OrNull(Timestamp),
  notBefore: OrNull(Timestamp),
  notAfter: OrNull(Timestamp),
  whenOffline: oneOf(['queue', 'skip']),
  runLimitSeconds: Type.Number(),
  attempt: Type.Integer(),
  lateOutcome: OrNull(Type.String()),
  /** How far it is, while it runs on its device: the step (of `steps`), its share from 0 to 1, its last line of output. */
  progress: OrNull(
    Type.Object({
      step: Type.Integer(),
      steps: Type.Integer(),
      share: OrNull(Type.Number()),
      line: OrNull(Type.String()),
    }),
  ),
  /** What a scan has found on the device. */
  findings: Type.Array(Finding),
  /** What was killed and taken away by its hash, so far as it is known; null where the action is about no file. */
  quarantined: OrNull(Quarantined),
})

/** A machine action in the key order of the real service (`wire.md` 2); every key is always there. */
export const MachineAction = Type.Object({
  '@odata.context': Type.Optional(Type.String()),
  id: Type.String(),
  type: oneOf(actionTypes),
  title: Type.Null(),
  requestor: Type.String(),
  requestorComment: OrNull(Type.String()),
  status: oneOf(statuses),
  machineId: Type.String(),
  computerDnsName: Type.String(),
  creationDateTimeUtc: Timestamp,
  lastUpdateDateTimeUtc: Timestamp,
  cancellationRequestor: OrNull(Type.String()),
  cancellationComment: OrNull(Type.String()),
  cancellationDateTimeUtc: OrNull(Timestamp),
  errorHResult: Type.Integer(),
  scope: OrNull(Type.String()),
  externalId: OrNull(Type.String()),
  requestSource: Type.Literal('PublicApi'),
  relatedFileInfo: OrNull(
    Type.Object({ fileIdentifier: Type.String(), fileIdentifierType: oneOf(['Sha1', 'Sha256', 'Md5']) }),
  ),
  commands: Type.Array(CommandState),
  troubleshootInfo: Type.Null(),
  countermand: Extension,
})
export type MachineAction = Static<typeof MachineAction>

/** The list envelope (`wire.md` 7). With `$select` an item has only the keys that were selected. */
export const ListOf = <T extends TSchema>(item: T) =>
  Type.Object({
    '@odata.context': Type.String(),
    /** All that fit the filter; with `$count=true`. */
    '@odata.count': Type.Optional(Type.Integer()),
    value: Type.Array(item),
    /** Where the next page is; only while there is one. */
    '@odata.nextLink': Type.Optional(Type.String()),
  })

/** The envelope of a single string, a download link for example. */
export const StringValue = Type.Object({ '@odata.context': Type.String(), value: Type.String() })

export { OrNull, Timestamp, oneOf }
