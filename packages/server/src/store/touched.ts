import type { ChainHead } from '@countermand/contract'
import type { Alarm, Change } from '../app/ports.ts'
import type { CancelStep } from '../core/cancel-step.ts'

/** What a transaction has touched; told to the bus after its commit, and forgotten when it is taken back. */
export interface Touched {
  readonly actions: Set<string>
  /** Those that have ended while a device had them. */
  readonly ended: Set<string>
  /** Chains that grew by something that the device itself does not know yet. */
  readonly wake: Set<string>
  readonly alarms: Alarm[]
  readonly cancels: CancelStep[]
  /** Where chains that were looked at end, as this transaction has it. */
  readonly heads: Map<string, ChainHead>
}

export const nothingTouched = (): Touched => ({
  actions: new Set(),
  ended: new Set(),
  wake: new Set(),
  alarms: [],
  cancels: [],
  heads: new Map(),
})

export function addTouched(to: Touched, { actions, ended, wake, alarms, cancels }: Touched): void {
  for (const id of actions) to.actions.add(id)
  for (const id of ended) to.ended.add(id)
  for (const id of wake) to.wake.add(id)
  to.alarms.push(...alarms)
  to.cancels.push(...cancels)
}

export const changeOf = ({ actions, ended, wake, alarms, cancels }: Touched): Change => ({
  actions: [...actions],
  ended: [...ended],
  wake: [...wake],
  alarms,
  cancels,
})

export const isNothing = ({ actions, wake, alarms }: Change): boolean =>
  actions.length + wake.length + alarms.length === 0
