/** How long the server waits in each phase. Every open state has an end (`ARCHITECTURE.md`, phases). */
import type { Phase } from '@countermand/contract'
import type { Order } from './action-shape.ts'

const minute = 60_000
export const day = 24 * 60 * minute
/** An action that no device has begun, counted from its creation, or from its time where it has one. */
export const notAfterMs = 3 * day
/** The device ends its own work at its own limit; the server waits this much longer to hear of it. */
export const hearingMs = day

/** For a device that is there this is plenty; one that is not there is not waited for where the action says so. */
export const takeUpMs = minute

/** When the server stops waiting for an action that enters `phase` at `at`; never called for a final phase. */
export function deadlineOf(
  order: Pick<Order, 'createdAt' | 'runLimitMs' | 'notBefore' | 'notAfter' | 'whenOffline'>,
  phase: Phase,
  at: Date,
): Date {
  if (phase === 'running') return new Date(at.getTime() + order.runLimitMs + hearingMs)
  if (phase === 'settling') return new Date(at.getTime() + hearingMs)
  const from = Math.max(order.createdAt.getTime(), order.notBefore?.getTime() ?? 0)
  // Then it is let go; the timer that ends others releases it.
  if (phase === 'scheduled') return new Date(from)
  const last = order.notAfter?.getTime() ?? from + notAfterMs
  const isSkipped = order.whenOffline === 'skip' && phase !== 'accepted'
  return new Date(isSkipped ? Math.min(last, from + takeUpMs) : last)
}
