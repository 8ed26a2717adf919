/** What a tenant decides about its own response plane: each a line of configuration (`config/settings.ts`). */
import type { ActionType } from '@countermand/contract'
import { day } from './deadline.ts'
import { Refusal } from './errors.ts'

/** An outstanding cancel, counted from when it was asked, unless it is decided otherwise. */
export const cancelLimitMs = 3 * day

export interface Policies {
  /** What a cancel needs: any of the seven response permissions, as in the reference, or that of the action's own type. */
  readonly cancelPermission: 'any' | 'type'
  /** Is a comment asked of every action and every cancel? */
  readonly commentMandatory: boolean
  /** Which product is emulated: `plan1` knows scan, isolation, and stop and quarantine only (`wire.md` 13). */
  readonly plan: 'plan1' | 'plan2'
  /** What somebody gets who asks for what is under way already: 400, or the action that is open. */
  readonly repeatedAction: 'refuse' | 'open'
  /** Between asking an action's processes to end and killing them, where the cancel says nothing else. Milliseconds. */
  readonly graceMs: number
  /** Is a file that belongs to an installed package taken away as well? */
  readonly quarantinePackaged: boolean
  /** How long an outstanding cancel waits for its device, whatever was left of the action's own time. Milliseconds. */
  readonly cancelLimitMs: number
}

const ofPlan1: readonly ActionType[] = ['RunAntiVirusScan', 'Isolate', 'Unisolate', 'StopAndQuarantineFile']

/** @throws Refusal DisabledFeature for what the emulated plan does not have. */
export function refuseBeyondPlan({ plan }: Policies, type: ActionType): void {
  if (plan === 'plan2' || ofPlan1.includes(type)) return
  throw new Refusal(
    'DisabledFeature',
    `${type} is not part of plan 1, which this server is set to (plan); that has ${ofPlan1.join(', ')}.`,
  )
}

/** @throws Refusal MissingRequiredParameter where a comment is asked for, and there is none, or a blank one. */
export function refuseSilent({ commentMandatory }: Policies, comment: string | null): void {
  if (!commentMandatory || (comment ?? '').trim() !== '') return
  throw new Refusal(
    'MissingRequiredParameter',
    'The required parameter Comment is missing: this server is set to ask for one (commentMandatory).',
  )
}
