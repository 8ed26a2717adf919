import type { Permission } from '../permissions.ts'

/** What a host stands as, each by itself: one that cannot be made leaves the other as it is. */
export const aspects = ['isolation', 'restriction'] as const
export type Aspect = (typeof aspects)[number]

/** How a host can stand in an aspect. `Selective` lets a list of the tenant's pass as well; of an isolation only (`wire.md` 1.2). */
export const standTypes = ['None', 'Full', 'Selective'] as const
export type StandType = (typeof standTypes)[number]

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
  /** The type, or what else, takes it back once it is over and no cancel can; left out where nothing does. */
  readonly inverse?: string
}

export const minutes = (count: number): number => count * 60_000
