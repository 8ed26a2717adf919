import { ListOf } from '../machine-action.ts'
import { Machine } from '../machine.ts'
import type { Operation } from '../operation.ts'
import { machineReaders } from '../permissions.ts'

/** `wire.md` 1.5; `:id` is the device id or the computer name, which a device chooses itself: for looking only. */
export const machines = {
  listMachines: {
    method: 'GET',
    path: '/api/machines',
    permission: machineReaders,
    limit: 'read',
    target: 'none',
    status: 200,
    reply: ListOf(Machine),
  },
  getMachine: {
    method: 'GET',
    path: '/api/machines/:id',
    permission: machineReaders,
    limit: 'read',
    target: 'machineOrName',
    status: 200,
    reply: Machine,
  },
} as const satisfies Record<string, Operation>
