/** Every permission of the reference's machine-action family (`wire.md` 1), and ours. */
export const permissions = [
  'Machine.Read.All',
  'Machine.ReadWrite.All',
  'Machine.Read',
  'Machine.ReadWrite',
  'Machine.CollectForensics',
  'Machine.Isolate',
  'Machine.RestrictExecution',
  'Machine.Scan',
  'Machine.Offboard',
  'Machine.StopAndQuarantine',
  'Machine.LiveResponse',
  'Library.Manage',
  'User.Read.All',
  'Alert.Read.All',
  'Alert.ReadWrite.All',
  'Alert.Read',
  'Alert.ReadWrite',
  'Countermand.Force',
  'Countermand.Administer',
  'Countermand.Release',
] as const

export type Permission = (typeof permissions)[number]

/** Permissions that only user tokens carry; an application is given the others. */
const delegatedOnly: readonly Permission[] = [
  'Machine.Read',
  'Machine.ReadWrite',
  'Alert.Read',
  'Alert.ReadWrite',
]
export const applicationPermissions: readonly Permission[] = permissions.filter(
  (name) => !delegatedOnly.includes(name),
)

/** Any one of the seven lets a caller cancel any action (`wire.md` 6, D3), in the reference's order. */
export const responsePermissions = [
  'Machine.CollectForensics',
  'Machine.Isolate',
  'Machine.RestrictExecution',
  'Machine.Scan',
  'Machine.Offboard',
  'Machine.StopAndQuarantine',
  'Machine.LiveResponse',
] as const satisfies readonly Permission[]

/** Ours: who may administer may give any permission, to itself too. */
export const administer = {
  app: ['Countermand.Administer'],
  delegated: ['Countermand.Administer'],
} as const satisfies Record<'app' | 'delegated', readonly Permission[]>

export const machineReaders = {
  app: ['Machine.Read.All', 'Machine.ReadWrite.All'],
  delegated: ['Machine.Read', 'Machine.ReadWrite'],
} as const satisfies Record<'app' | 'delegated', readonly Permission[]>
