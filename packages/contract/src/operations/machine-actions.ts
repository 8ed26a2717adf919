import { Type, type Static } from 'typebox'
import { scanTypes, type ScanType } from '../actions/scan.ts'
import { CancelInputs, about } from '../inputs.ts'
import { Command, ListOf, MachineAction, OrNull, StringValue, Timestamp, oneOf } from '../machine-action.ts'
import type { Operation } from '../operation.ts'
import { machineReaders, responsePermissions } from '../permissions.ts'

/** One line of an action's history, with the device's own signed words where it had any. */
export const ActionEventEntry = Type.Object({
  sequence: Type.Integer(),
  kind: Type.String(),
  at: Timestamp,
  actor: OrNull(Type.String()),
  data: Type.Record(Type.String(), Type.Unknown()),
  previous: Type.String(),
  digest: Type.String(),
  /** The signed sync, verbatim (a compact JWS), where the device's word caused this event. */
  statement: OrNull(Type.String()),
})

export type ActionEventEntry = Static<typeof ActionEventEntry>

/** Reading and cancelling (`wire.md` 1.1). */
export const machineActions = {
  listMachineActions: {
    summary: 'Lists machine actions, the newest first.',
    method: 'GET',
    path: '/api/machineactions',
    permission: machineReaders,
    limit: 'read',
    target: 'none',
    query: ['$filter', '$orderby', '$top', '$skip', '$count', '$select'],
    status: 200,
    reply: ListOf(MachineAction),
  },
  countMachineActions: {
    method: 'GET',
    path: '/api/machineactions/$count',
    permission: machineReaders,
    limit: 'read',
    target: 'none',
    status: 200,
    reply: Type.Integer(),
  },
  getMachineAction: {
    summary: 'Gets one machine action.',
    method: 'GET',
    path: '/api/machineactions/:id',
    permission: machineReaders,
    limit: 'read',
    target: 'machineAction',
    status: 200,
    reply: MachineAction,
  },
  cancelMachineAction: {
    summary:
      'Takes a machine action back: `Cancelled` is said only with proof that nothing of it is left running.',
    method: 'POST',
    path: '/api/machineactions/:id/cancel',
    permission: { app: responsePermissions, delegated: responsePermissions },
    limit: 'cancel',
    target: 'machineActionId',
    mayConflict: true,
    body: Type.Object({ Comment: Type.Optional(Type.String()), countermand: Type.Optional(CancelInputs) }),
    status: 200,
    reply: MachineAction,
  },
  getLiveResponseResult: {
    summary:
      'Gets a link to the result of one live response command; the link is good for 30 minutes and needs no token.',
    method: 'GET',
    path: '/api/machineactions/:id/GetLiveResponseResultDownloadLink(index=:index)',
    permission: { app: machineReaders.app, delegated: ['Machine.LiveResponse'] },
    limit: 'read',
    target: 'machineAction',
    status: 200,
    reply: StringValue,
  },
  getPackageUri: {
    summary: 'Gets a link to the investigation package of a finished collection; it needs no token.',
    method: 'GET',
    path: '/api/machineactions/:id/getPackageUri',
    permission: { app: machineReaders.app, delegated: ['Machine.CollectForensics'] },
    limit: 'package',
    target: 'machineAction',
    status: 200,
    reply: StringValue,
  },
  listMachineActionEvents: {
    summary: "Lists the history of one action, with the device's signed statements.",
    method: 'GET',
    path: '/api/countermand/actions/:id/events',
    permission: machineReaders,
    limit: 'read',
    target: 'machineAction',
    status: 200,
    reply: ListOf(ActionEventEntry),
  },
} as const satisfies Record<string, Operation>

/** Issuing (`wire.md` 1.2). */
export const machineResponses = {
  runLiveResponse: {
    summary: 'Runs live response commands on a machine, one after the other.',
    method: 'POST',
    path: '/api/machines/:id/runliveresponse',
    permission: { app: ['Machine.LiveResponse'], delegated: ['Machine.LiveResponse'] },
    limit: 'liveResponse',
    target: 'machine',
    body: Type.Object({
      Comment: Type.Optional(Type.String()),
      ...about,
      Commands: Type.Array(Command, { minItems: 1, maxItems: 100 }),
    }),
    status: 201,
    reply: MachineAction,
  },
  collectInvestigationPackage: {
    summary: 'Collects an investigation package from a machine.',
    method: 'POST',
    path: '/api/machines/:id/collectInvestigationPackage',
    permission: { app: ['Machine.CollectForensics'], delegated: ['Machine.CollectForensics'] },
    limit: 'respond',
    target: 'machine',
    body: Type.Object({ Comment: Type.String(), ...about }),
    status: 201,
    reply: MachineAction,
  },
  runAntiVirusScan: {
    summary: 'Scans a machine for malware.',
    method: 'POST',
    path: '/api/machines/:id/runAntiVirusScan',
    permission: { app: ['Machine.Scan'], delegated: ['Machine.Scan'] },
    limit: 'respond',
    target: 'machine',
    body: Type.Object({
      Comment: Type.String(),
      ...about,
      ScanType: Type.Unsafe<ScanType>({ type: 'string', enum: [...scanTypes] }),
    }),
    status: 201,
    reply: MachineAction,
  },
  stopAndQuarantineFile: {
    summary: 'Kills what runs from a file, by its SHA-1, and takes the file away.',
    method: 'POST',
    path: '/api/machines/:id/StopAndQuarantineFile',
    permission: { app: ['Machine.StopAndQuarantine'], delegated: ['Machine.StopAndQuarantine'] },
    permissionToo: { app: machineReaders.app },
    limit: 'respond',
    target: 'machine',
    // Its pattern is the handler's to check: a wrong hash has a code of its own.
    body: Type.Object({ Comment: Type.String(), ...about, Sha1: Type.String() }),
    status: 201,
    reply: MachineAction,
  },
  /** A missing `IsolationType` means `Full`. */
  isolate: {
    summary: 'Isolates a machine from the network, but for this server.',
    method: 'POST',
    path: '/api/machines/:id/isolate',
    permission: { app: ['Machine.Isolate'], delegated: ['Machine.Isolate'] },
    limit: 'respond',
    target: 'machine',
    body: Type.Object({
      Comment: Type.String(),
      ...about,
      IsolationType: Type.Optional(oneOf(['Full', 'Selective', 'UnManagedDevice'])),
    }),
    status: 201,
    reply: MachineAction,
  },
  unisolate: {
    summary: 'Releases a machine from isolation.',
    method: 'POST',
    path: '/api/machines/:id/unisolate',
    permission: { app: ['Machine.Isolate'], delegated: ['Machine.Isolate'] },
    limit: 'respond',
    target: 'machine',
    body: Type.Object({ Comment: Type.String(), ...about }),
    status: 201,
    reply: MachineAction,
  },
  offboard: {
    summary:
      'Takes a machine out of management: its agent takes off what stands, gives its key up and stops.',
    method: 'POST',
    path: '/api/machines/:id/offboard',
    permission: { app: ['Machine.Offboard'], delegated: ['Machine.Offboard'] },
    limit: 'respond',
    target: 'machine',
    body: Type.Object({ Comment: Type.String(), ...about }),
    status: 201,
    reply: MachineAction,
  },
  restrictCodeExecution: {
    summary: 'Restricts a machine to the programs that its packages have installed.',
    method: 'POST',
    path: '/api/machines/:id/restrictCodeExecution',
    permission: { app: ['Machine.RestrictExecution'], delegated: ['Machine.RestrictExecution'] },
    limit: 'respond',
    target: 'machine',
    body: Type.Object({ Comment: Type.String(), ...about }),
    status: 201,
    reply: MachineAction,
  },
  unrestrictCodeExecution: {
    summary: 'Lets a machine start any program again.',
    method: 'POST',
    path: '/api/machines/:id/unrestrictCodeExecution',
    permission: { app: ['Machine.RestrictExecution'], delegated: ['Machine.RestrictExecution'] },
    limit: 'respond',
    target: 'machine',
    body: Type.Object({ Comment: Type.String(), ...about }),
    status: 201,
    reply: MachineAction,
  },
} as const satisfies Record<string, Operation>
