import { Type } from 'typebox'
import { ListOf, oneOf } from '../machine-action.ts'
import { Machine } from '../machine.ts'
import type { Operation } from '../operation.ts'

const write = { app: ['Machine.ReadWrite.All'], delegated: ['Machine.ReadWrite'] } as const
const deviceValue = oneOf(['Normal', 'Low', 'High'])
const tagging = { Value: Type.String(), Action: oneOf(['Add', 'Remove']) }

/** How many machines may be tagged in one call (`wire.md` 1.5). */
export const taggingLimit = 500

/** What is put on a machine here and not on its host (`wire.md` 1.5). */
export const machineLabels = {
  updateMachine: {
    method: 'PATCH',
    path: '/api/machines/:id',
    permission: write,
    limit: 'manage',
    target: 'machine',
    // Small first letters, here alone.
    body: Type.Object({
      machineTags: Type.Optional(Type.Array(Type.String())),
      deviceValue: Type.Optional(deviceValue),
    }),
    status: 200,
    reply: Machine,
  },
  tagMachine: {
    method: 'POST',
    path: '/api/machines/:id/tags',
    permission: write,
    limit: 'manage',
    target: 'machine',
    body: Type.Object(tagging),
    status: 200,
    reply: Machine,
  },
  tagMachines: {
    method: 'POST',
    path: '/api/machines/AddOrRemoveTagForMultipleMachines',
    permission: write,
    limit: 'manage',
    target: 'none',
    // How many there may be is the handler's to check: too many have a code of their own.
    body: Type.Object({ ...tagging, MachineIds: Type.Array(Type.String(), { minItems: 1 }) }),
    status: 200,
    reply: ListOf(Machine),
  },
  setDeviceValue: {
    method: 'POST',
    path: '/api/machines/:id/setDeviceValue',
    permission: write,
    limit: 'manage',
    target: 'machine',
    body: Type.Object({ DeviceValue: deviceValue }),
    status: 200,
    reply: Machine,
  },
} as const satisfies Record<string, Operation>
