import type { Permission } from '../permissions.ts'

/** What a host stands as, each folded by itself. */
export type Aspect = 'isolation'

/** What the server knows of an action type before any device is asked. */
export interface ActionTypeRow {
  /** Anyone who may issue it holds this. */
  readonly permission: Permission
  /** True where a cancel undoes what was done; false where it only stops what runs. */
  readonly reversible: boolean
  /** How long the device lets it run, in milliseconds. */
  readonly runLimitMs: number
  /** Of what the host is to stand as, this decides; left out for what runs and ends. */
  readonly aspect?: Aspect
}

export const minutes = (count: number): number => count * 60_000
