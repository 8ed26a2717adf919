import { Type, type Static } from 'typebox'
import { scanTypes, type ScanType } from '../actions/scan.ts'
import { CancelInputs, about } from '../inputs.ts'
import { Command, ListOf, MachineAction, OrNull, StringValue, Timestamp, oneOf } from '../machine-action.ts'
import type { Operation } from '../operation.ts'
import { machineReaders, responsePermissions, type Permission } from '../permissions.ts'

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

const only = <const Name extends Permission>(name: Name) => ({ app: [name], delegated: [name] }) as const
const commented = Type.Object({ Comment: Type.String(), ...about })
const response = {
  method: 'POST',
  limit: 'respond',
  target: 'machine',
  status: 201,
  reply: MachineAction,
} as const

/** Issuing (`wire.md` 1.2). */
export const machineResponses = {
  runLiveResponse: {
    ...response,
    summary: 'Runs live response commands on a machine, one after the other.',
    path: '/api/machines/:id/runliveresponse',
    permission: only('Machine.LiveResponse'),
    limit: 'liveResponse',
    body: Type.Object({
      Comment: Type.Optional(Type.String()),
      ...about,
      Commands: Type.Array(Command, { minItems: 1, maxItems: 100 }),
    }),
  },
  collectInvestigationPackage: {
    ...response,
    summary: 'Collects an investigation package from a machine.',
    path: '/api/machines/:id/collectInvestigationPackage',
    permission: only('Machine.CollectForensics'),
    body: commented,
  },
  runAntiVirusScan: {
    ...response,
    summary: 'Scans a machine for malware.',
    path: '/api/machines/:id/runAntiVirusScan',
    permission: only('Machine.Scan'),
    body: Type.Object({
      Comment: Type.String(),
      ...about,
      ScanType: Type.Unsafe<ScanType>({ type: 'string', enum: [...scanTypes] }),
    }),
  },
  stopAndQuarantineFile: {
    ...response,
    summary: 'Kills what runs from a file, by its SHA-1, and takes the file away.',
    path: '/api/machines/:id/StopAndQuarantineFile',
    permission: only('Machine.StopAndQuarantine'),
    permissionToo: { app: machineReaders.app },
    // Its pattern is the handler's to check: a wrong hash has a code of its own.
    body: Type.Object({ Comment: Type.String(), ...about, Sha1: Type.String() }),
  },
  /** A missing `IsolationType` means `Full`. */
  isolate: {
    ...response,
    summary: 'Isolates a machine from the network, but for this server.',
    path: '/api/machines/:id/isolate',
    permission: only('Machine.Isolate'),
    body: Type.Object({
      Comment: Type.String(),
      ...about,
      IsolationType: Type.Optional(oneOf(['Full', 'Selective', 'UnManagedDevice'])),
    }),
  },
  unisolate: {
    ...response,
    summary: 'Releases a machine from isolation.',
    path: '/api/machines/:id/unisolate',
    permission: only('Machine.Isolate'),
    body: commented,
  },
  offboard: {
    ...response,
    summary:
      'Takes a machine out of management: its agent takes off what stands, gives its key up and stops.',
    path: '/api/machines/:id/offboard',
    permission: only('Machine.Offboard'),
    body: commented,
  },
  restrictCodeExecution: {
    ...response,
    summary: 'Restricts a machine to the programs that its packages have installed.',
    path: '/api/machines/:id/restrictCodeExecution',
    permission: only('Machine.RestrictExecution'),
    body: commented,
  },
  unrestrictCodeExecution: {
    ...response,
    summary: 'Lets a machine start any program again.',
    path: '/api/machines/:id/unrestrictCodeExecution',
    permission: only('Machine.RestrictExecution'),
    body: commented,
  },
} as const satisfies Record<string, Operation>
