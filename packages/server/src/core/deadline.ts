/** How long the server waits in each phase. Every open state has an end (`ARCHITECTURE.md`, phases). */
import type { Phase } from '@countermand/contract'

const minute = 60_000
export const day = 24 * 60 * minute
/** An action that no device has begun, counted from its creation. */
export const notAfterMs = 3 * day
/** An outstanding cancel, counted from when it was asked, whatever was left of the action's own time. */
export const cancelLimitMs = 3 * day
/** The device ends its own work at its own limit; the server waits this much longer to hear of it. */
export const hearingMs = day

/** When the server stops waiting for an action that enters `phase` at `at`; never called for a final phase. */
export function deadlineOf(
  order: { readonly createdAt: Date; readonly runLimitMs: number },
  phase: Phase,
  at: Date,
): Date {
  if (phase === 'running') return new Date(at.getTime() + order.runLimitMs + hearingMs)
  if (phase === 'settling') return new Date(at.getTime() + hearingMs)
  return new Date(order.createdAt.getTime() + notAfterMs)
}
