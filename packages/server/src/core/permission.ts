import type { Operation, Permission } from '@countermand/contract'
import { Refusal } from './errors.ts'

/** Who asks: an application by its own token, or a person through one. */
export interface Caller {
  readonly kind: 'app' | 'delegated'
  /** Client id; limits count per application. */
  readonly id: string
  /** As it is written on actions. */
  readonly name: string
  readonly permissions: readonly string[]
}

/** In 2021 the service knew one name without its last letter, and tokens still carry it (`wire.md` 6, U15). */
const shortened: Partial<Record<Permission, string>> = {
  'Machine.CollectForensics': 'Machine.CollectForensic',
}

const holds = ({ permissions }: Caller, name: Permission): boolean =>
  permissions.includes(name) || permissions.includes(shortened[name] ?? name)

/** Where an operation asks for two permissions, the first that is missing is named. @throws Refusal Forbidden */
export function refuseUnpermitted(
  caller: Caller,
  { permission, permissionToo }: Pick<Operation, 'permission' | 'permissionToo'>,
): void {
  refuseWithout(caller, permission[caller.kind])
  if (permissionToo !== undefined && caller.kind === 'app') refuseWithout(caller, permissionToo.app)
}

/** @throws Refusal Forbidden, where the caller holds none of these; in the words that clients match on (`wire.md` 8). */
export function refuseWithout(caller: Caller, anyOf: readonly Permission[]): void {
  if (anyOf.some((name) => holds(caller, name))) return
  const who = caller.kind === 'app' ? 'application' : 'user'
  const kind = caller.kind === 'app' ? 'application' : 'delegated'
  throw new Refusal(
    'Forbidden',
    `The ${who} does not have any of the required ${kind} permissions (${anyOf.join(', ')}) to access the resource.`,
  )
}
