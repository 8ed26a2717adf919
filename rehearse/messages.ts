/** What a process of devices and the rehearsal say to each other. */
import type { Choice } from '../packages/agent/src/pretend/scenarios.ts'
import type { Truth } from '../packages/agent/src/pretend/truth.ts'

export interface DeviceToRun {
  readonly name: string
  readonly dataFolder: string
  readonly scenario: Choice | null
}

/** To a process of devices. */
export type Order =
  | {
      readonly kind: 'run'
      readonly devices: readonly DeviceToRun[]
      readonly seed: number
      readonly speed: number
      readonly isSteady: boolean
    }
  | { readonly kind: 'truths' }
  | { readonly kind: 'answer'; readonly question: number; readonly text: string }

/** From a process of devices. */
export type Word =
  | { readonly kind: 'log'; readonly device: string; readonly line: string }
  /** A token to enrol with: as a new device, or as this one. */
  | { readonly kind: 'token'; readonly question: number; readonly machineId: string | null }
  /** The comment of an action. */
  | { readonly kind: 'comment'; readonly question: number; readonly actionId: string }
  /** What has really become of every action that was begun. */
  | { readonly kind: 'truths'; readonly truths: readonly (readonly [id: string, truth: Truth])[] }
  | {
      readonly kind: 'state'
      readonly reachable: number
      readonly enrolled: readonly (readonly [id: string, name: string])[]
    }
