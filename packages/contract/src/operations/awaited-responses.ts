import { Type } from 'typebox'
import { about } from '../inputs.ts'
import { MachineAction } from '../machine-action.ts'
import type { Operation } from '../operation.ts'
import { machineReaders, type Permission } from '../permissions.ts'

/** Types of the reference that no agent does yet. They are refused once everything else about the request is right. */
export const awaitedTypes = ['StopAndQuarantineFile'] as const
export type AwaitedType = (typeof awaitedTypes)[number]

const commented = { Comment: Type.String(), ...about }
const only = <const Name extends Permission>(name: Name) => ({ app: [name], delegated: [name] }) as const
const response = {
  method: 'POST',
  limit: 'respond',
  target: 'machine',
  body: Type.Object(commented),
  status: 201,
  reply: MachineAction,
} as const

/** Issuing what waits for its agent (`wire.md` 1.2). */
export const awaitedResponses = {
  stopAndQuarantineFile: {
    ...response,
    path: '/api/machines/:id/StopAndQuarantineFile',
    permission: only('Machine.StopAndQuarantine'),
    permissionToo: { app: machineReaders.app },
    // Its pattern is the handler's to check: a wrong hash has a code of its own.
    body: Type.Object({ ...commented, Sha1: Type.String() }),
  },
} as const satisfies Record<string, Operation>
