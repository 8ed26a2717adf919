/** The news of what stands: an action of this kind has one step, which is that the host stands so. */
import type { CommandOutcome, News, Posture } from '@countermand/contract'
import { confirmWithinMs, notBegun } from '@countermand/contract'
import type { Candidate } from './posture-file.ts'

/** Why it went back. */
export const noContact = `No contact with the server within ${confirmWithinMs / 1000} s: the host was put back to how it stood before.`

const step = (given: Partial<CommandOutcome>): CommandOutcome[] => [{ ...notBegun(0), ...given }]

/** Unless it is the work of an action that stands already. */
export function startedBy({ document, takenAt }: Candidate, confirmed: Posture | null): News[] {
  const { action } = document
  if (action === null || action === confirmed?.action) return []
  return [{ kind: 'started', action, commands: step({ startedAt: takenAt }) }]
}

export function succeeded(
  { action }: Posture,
  times: { startedAt: string | null; endedAt: string | null },
): News[] {
  if (action === null) return []
  const commands = step({ status: 'Completed', ...times })
  return [{ kind: 'finished', action, outcome: 'succeeded', detail: null, commands }]
}

export function failed(
  { document: { action }, takenAt }: Candidate,
  detail: string,
  endedAt: string,
): News[] {
  if (action === null) return []
  const commands = step({ status: 'Failed', startedAt: takenAt, endedAt, errors: [detail] })
  return [{ kind: 'finished', action, outcome: 'failed', detail, commands }]
}

export const notReleased = (withdrawn: readonly string[], detail: string): News[] =>
  withdrawn.map((action) => ({ kind: 'revert_failed', action, residues: [detail], commands: [] }))
