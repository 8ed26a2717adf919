/** What an action is and what can happen to it, as plain data. The rules stand in `action.ts`. */
import type {
  ActionParameters,
  ActionType,
  CancelState,
  CommandOutcome,
  EffectWord,
  Phase,
  Proof,
  Reason,
} from '@countermand/contract'

export interface Cancel {
  readonly state: CancelState
  readonly by: string
  readonly comment: string | null
  /** Why it was asked; becomes the action's reason once it is proven. */
  readonly reason: Reason
  readonly requestedAt: Date
  readonly deadlineAt: Date
  /** Between asking its processes to end and killing them, in milliseconds. */
  readonly graceMs: number
  /** True once the device has said that it cannot stop at the step it is in. */
  readonly refused: boolean
  /** What stands in the way, in words. */
  readonly detail: string | null
  /** True until the device has shown that it knows. Outlives the action's end: a forced action's cancel still goes out. */
  readonly undelivered: boolean
  /** The span of the call that asked, as a W3C traceparent; left out where nobody traces. */
  readonly trace?: string
  /** The later action that says otherwise, where that took this one back. */
  readonly supersededBy?: string
}

export interface Effect {
  readonly state: EffectWord
  readonly residues: readonly string[]
}

/** What was asked for; never changes. */
export interface Order {
  readonly id: string
  readonly type: ActionType
  readonly machineId: string
  readonly computerDnsName: string
  readonly requestor: string
  readonly comment: string | null
  readonly externalId: string | null
  readonly scope: string | null
  /** True where a cancel undoes what was done (`contract/actions`). */
  readonly reversible: boolean
  readonly runLimitMs: number
  /** Not to be offered earlier; null for at once. */
  readonly notBefore: Date | null
  /** Not to be begun later; null for three days after it may be offered. */
  readonly notAfter: Date | null
  /** What becomes of it where its device is not there to take it up. */
  readonly whenOffline: 'queue' | 'skip'
  /** What the device is sent, pinned when the action was issued. */
  readonly parameters: ActionParameters
  readonly createdAt: Date
}

/** When it may be begun, where nobody says anything. */
export const atOnce = {
  notBefore: null,
  notAfter: null,
  whenOffline: 'queue',
} as const satisfies Partial<Order>

export interface Action extends Order {
  readonly version: number
  readonly phase: Phase
  /** How many offers have committed that the device did not have when the next was made. */
  readonly attempt: number
  readonly cancel: Cancel | null
  readonly effect: Effect
  readonly proof: Proof | null
  readonly reason: Reason | null
  /** When the server stops waiting, whatever it waits for; null once final. */
  readonly deadlineAt: Date | null
  readonly updatedAt: Date
  readonly finishedAt: Date | null
  readonly commands: readonly CommandOutcome[]
  readonly detail: string | null
  /** What a device said after the end that does not fit the end. */
  readonly lateOutcome: string | null
}

export type Outcome = 'succeeded' | 'failed' | 'timed_out'

/** What a device can say of an action. Everything here has been signed by it. */
export type DeviceEvent =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'started'; readonly commands: readonly CommandOutcome[] }
  | { readonly kind: 'stepped'; readonly commands: readonly CommandOutcome[] }
  | { readonly kind: 'ended'; readonly commands: readonly CommandOutcome[] }
  | {
      readonly kind: 'finished'
      readonly outcome: Outcome
      readonly detail: string | null
      readonly commands: readonly CommandOutcome[]
    }
  | { readonly kind: 'cancel_acknowledged' }
  | { readonly kind: 'not_received' }
  | { readonly kind: 'refused_start'; readonly commands: readonly CommandOutcome[] }
  | {
      readonly kind: 'stopped'
      readonly proof: 'stopped' | 'swept'
      readonly residues: readonly string[]
      readonly commands: readonly CommandOutcome[]
    }
  | { readonly kind: 'reverted'; readonly commands: readonly CommandOutcome[] }
  | {
      readonly kind: 'revert_failed'
      readonly residues: readonly string[]
      readonly commands: readonly CommandOutcome[]
    }
  | { readonly kind: 'cannot_stop'; readonly detail: string }
  | { readonly kind: 'unkillable'; readonly detail: string }
  | { readonly kind: 'journal_lost' }

/** Why nothing more can be heard of what a device had. */
export type GoneReason = Extract<Reason, 'device_reenrolled' | 'device_removed' | 'key_revoked'>

/** What the server itself brings about. */
export type ServerEvent =
  /** Its time has come. */
  | { readonly kind: 'released' }
  | { readonly kind: 'offered' }
  | { readonly kind: 'cancel_sent' }
  | { readonly kind: 'deadline_passed' }
  | { readonly kind: 'device_gone'; readonly reason: GoneReason }

/** What a person or a program asks for. The only events that can be refused. */
export type CallerEvent =
  | {
      readonly kind: 'cancel_requested'
      readonly by: string
      readonly comment: string | null
      readonly reason: Reason
      /** Milliseconds; left out for none. */
      readonly graceMs?: number
      /** How long it waits for its device; left out for `cancelLimitMs`. */
      readonly limitMs?: number
      readonly trace?: string
      readonly supersededBy?: string
    }
  | { readonly kind: 'forced'; readonly by: string; readonly comment: string }

export type ActionEvent = DeviceEvent | ServerEvent | CallerEvent
