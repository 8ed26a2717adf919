import { Type } from 'typebox'
import { ListOf } from '../machine-action.ts'
import { Machine } from '../machine.ts'
import type { Operation } from '../operation.ts'
import { machineReaders } from '../permissions.ts'
import { User } from '../user.ts'

/** `wire.md` 1.5; `:id` is the device id or the computer name, which a device chooses itself: for looking only. */
export const machines = {
  listMachines: {
    summary: 'Lists machines.',
    method: 'GET',
    path: '/api/machines',
    permission: machineReaders,
    limit: 'read',
    target: 'none',
    query: ['$filter', '$orderby', '$top', '$skip', '$count', '$select'],
    status: 200,
    reply: ListOf(Machine),
  },
  countMachines: {
    method: 'GET',
    path: '/api/machines/$count',
    permission: machineReaders,
    limit: 'read',
    target: 'none',
    status: 200,
    reply: Type.Integer(),
  },
  getMachine: {
    summary: 'Gets one machine by its id or its computer name.',
    method: 'GET',
    path: '/api/machines/:id',
    permission: machineReaders,
    limit: 'read',
    target: 'machineOrName',
    status: 200,
    reply: Machine,
  },
  findMachinesByIp: {
    method: 'GET',
    path: '/api/machines/findbyip(:arguments)',
    permission: machineReaders,
    limit: 'read',
    target: 'none',
    status: 200,
    reply: ListOf(Machine),
  },
  /** The older form of the same, whose address is called `key`. */
  findMachines: {
    method: 'GET',
    path: '/api/machines/find(:arguments)',
    permission: machineReaders,
    limit: 'read',
    target: 'none',
    status: 200,
    reply: ListOf(Machine),
  },
  findMachinesByTag: {
    method: 'GET',
    path: '/api/machines/findbytag',
    permission: machineReaders,
    limit: 'read',
    target: 'none',
    status: 200,
    reply: ListOf(Machine),
  },
  listMachineUsers: {
    method: 'GET',
    path: '/api/machines/:id/logonusers',
    permission: { app: ['User.Read.All'], delegated: ['User.Read.All'] },
    limit: 'read',
    target: 'machineOrName',
    status: 200,
    reply: ListOf(User),
  },
} as const satisfies Record<string, Operation>
