import { Type } from 'typebox'
import { about } from '../inputs.ts'
import { MachineAction } from '../machine-action.ts'
import type { Operation } from '../operation.ts'
import type { Permission } from '../permissions.ts'

/** Types of the reference that no agent does yet. They are refused once everything else about the request is right. */
export const awaitedTypes = ['RestrictCodeExecution', 'UnrestrictCodeExecution', 'Offboard'] as const
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
  restrictCodeExecution: {
    ...response,
    path: '/api/machines/:id/restrictCodeExecution',
    permission: only('Machine.RestrictExecution'),
  },
  unrestrictCodeExecution: {
    ...response,
    path: '/api/machines/:id/unrestrictCodeExecution',
    permission: only('Machine.RestrictExecution'),
  },
  offboard: {
    ...response,
    path: '/api/machines/:id/offboard',
    permission: only('Machine.Offboard'),
  },
} as const satisfies Record<string, Operation>
