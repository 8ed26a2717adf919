import { Type } from 'typebox'
import { ListOf } from '../machine-action.ts'
import type { Operation } from '../operation.ts'

const readers = {
  app: ['Alert.Read.All', 'Alert.ReadWrite.All'],
  delegated: ['Alert.Read', 'Alert.ReadWrite'],
} as const
const read = { method: 'GET', permission: readers, limit: 'read', status: 200 } as const
const list = { ...read, reply: ListOf(Type.Never()) } as const
const count = { ...read, reply: Type.Integer() } as const

/** There are none here; clients try their connection by asking for them (`wire.md` 18). */
export const alerts = {
  listAlerts: { ...list, path: '/api/alerts', target: 'none' },
  countAlerts: { ...count, path: '/api/alerts/$count', target: 'none' },
  listMachineAlerts: { ...list, path: '/api/machines/:id/alerts', target: 'machineOrName' },
  countMachineAlerts: { ...count, path: '/api/machines/:id/alerts/$count', target: 'machineOrName' },
} as const satisfies Record<string, Operation>
