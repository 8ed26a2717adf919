/** The words of an action's life, as they stand in the extension object and in events. Their meaning: ARCHITECTURE.md. */

/** `awaiting_approval` is reserved: nothing produces it yet. */
export const phases = [
  'awaiting_approval',
  'scheduled',
  'queued',
  'offered',
  'accepted',
  'running',
  'settling',
  'succeeded',
  'failed',
  'timed_out',
  'cancelled',
] as const
export type Phase = (typeof phases)[number]

export const cancelStates = [
  'requested',
  'sent',
  'acknowledged',
  'confirmed',
  'too_late',
  'refused',
  'unconfirmed',
  'forced',
] as const
export type CancelState = (typeof cancelStates)[number]

export const effects = ['none', 'applied', 'reverted', 'partial', 'unknown'] as const
export type EffectWord = (typeof effects)[number]

export const proofs = [
  'never_offered',
  'not_received',
  'refused_start',
  'stopped',
  'swept',
  'reverted',
  'attested',
] as const
export type Proof = (typeof proofs)[number]

export const reasons = [
  'done',
  'user',
  'bulk',
  'superseded',
  'approval_denied',
  'approval_expired',
  'not_after_passed',
  'offline',
  'run_limit',
  'device_reenrolled',
  'device_removed',
  'key_revoked',
  'journal_lost',
  'campaign_abort',
  'policy',
  'error',
] as const
export type Reason = (typeof reasons)[number]
