/** How a device is to stand: the fold of its isolation actions into one document. What is undone is folded without. */
import {
  canonical,
  isRunType,
  mostAddresses,
  type Isolation,
  type IsolationType,
  type Posture,
  type PostureReport,
} from '@countermand/contract'
import type { Action } from './action-shape.ts'
import { isOpen, isOutstanding, isUndelivered } from './action.ts'

/** What is known of how a device stands, and is to stand. */
export interface Stance {
  /** Of the document that was last ordered; 0 before the first. */
  readonly generation: number
  readonly isolation: Isolation
  readonly server: readonly string[]
  /** The newest isolation action that has succeeded: it shows through where no later one counts. */
  readonly base: Pick<Isolation, 'action' | 'type'>
  /** As the device last said; null before it has said anything. */
  readonly reported: PostureReport | null
  /** Since when the device says that it stands by this action, in milliseconds since 1970; null while it is not isolated. */
  readonly since: number | null
}

/** What the tenant and this server add to what actions ask for. */
export interface Surroundings extends Pick<Isolation, 'allow' | 'confirm'> {
  readonly server: readonly string[]
}

const nothing = { action: null, type: 'None' } as const
export const firstStance: Stance = {
  generation: 0,
  isolation: { ...nothing, allow: [], confirm: 'revert' },
  server: [],
  base: nothing,
  reported: null,
  since: null,
}

/** Open actions of what a device stands as, the oldest first. */
export const ofPosture = (live: readonly Action[]): readonly Action[] =>
  live.filter(({ type }) => !isRunType(type))

/** On its way or there: released, open, and nobody has asked to take it back. */
const counts = (action: Action): boolean =>
  isOpen(action) &&
  action.phase !== 'scheduled' &&
  action.phase !== 'awaiting_approval' &&
  !isOutstanding(action.cancel)

export const isolationOf = ({ parameters }: Pick<Action, 'parameters'>): IsolationType =>
  'isolation' in parameters ? parameters.isolation : 'None'

/** The action that decides how the device is to stand, with its way; that of `base` where none is on its way. */
function decider(live: readonly Action[], { base }: Stance): Pick<Isolation, 'action' | 'type'> {
  const newest = ofPosture(live).findLast(counts)
  return newest === undefined ? base : { action: newest.id, type: isolationOf(newest) }
}

/**
 * How the device is to stand now. The very same object where nothing is to change; else a later generation than any that was
 * ordered, or that the device has taken from a server that was restored since.
 */
export function fold(stance: Stance, live: readonly Action[], around: Surroundings): Stance {
  const { action, type } = decider(live, stance)
  const allow = type === 'Selective' ? around.allow : []
  const isolation: Isolation = {
    action,
    type,
    allow: [...allow],
    confirm: type === 'None' ? 'revert' : around.confirm,
  }
  const taken = stance.reported?.taken ?? 0
  const server = serverOf(stance, action, around.server)
  const isSame = canonical(isolation) === canonical(stance.isolation) && taken <= stance.generation
  if (isSame && (type === 'None' || server === stance.server)) return stance
  return { ...stance, generation: Math.max(stance.generation, taken) + 1, isolation, server }
}

/** While the same action stands addresses only come: a device may be on its way by one that is not seen now. */
function serverOf(stance: Stance, action: string | null, now: readonly string[]): readonly string[] {
  const before = stance.isolation.action === action ? stance.server : []
  if (before === stance.server && now.every((address) => before.includes(address))) return before
  return [...new Set([...before, ...now])].toSorted().slice(0, mostAddresses)
}

/** An isolation action has succeeded. */
export const based = (stance: Stance, action: Action): Stance => ({
  ...stance,
  base: { action: action.id, type: isolationOf(action) },
})

/** What the device says of how it stands. */
export function heard(stance: Stance, reported: PostureReport, at: Date): Stance {
  const before = stance.reported?.isolation ?? nothing
  const { action, type } = reported.isolation
  const isSame = before.action === action && before.type === type
  const since = type === 'None' ? null : isSame ? stance.since : at.getTime()
  return { ...stance, reported, since }
}

/** The document as it is sent, with what its device is still to confirm as gone. */
export const documentOf = (
  { generation, isolation, server }: Stance,
  around: Pick<Surroundings, 'server'>,
  live: readonly Action[],
): Posture => ({
  generation,
  isolation,
  server: [...(isolation.type === 'None' ? around.server : server)],
  withdrawn: ofPosture(live)
    .filter((action) => isOutstanding(action.cancel) || isUndelivered(action))
    .map(({ id }) => id),
})

export const isolationStates = ['NotIsolated', 'Isolating', 'Isolated', 'Releasing'] as const
export type IsolationState = (typeof isolationStates)[number]

/** How a device stands, as it is shown. */
export interface Shown {
  readonly state: IsolationState
  /** Null where it is neither isolated nor on its way there. */
  readonly type: 'Full' | 'Selective' | null
  readonly action: string | null
  readonly since: number | null
  /** True once the device has said that what is ordered now stands, and was read back. */
  readonly confirmed: boolean
}

/** What was ordered, beside what the device has said. */
export function shownOf({ generation, isolation, reported, since }: Stance): Shown {
  const stands = reported === null || reported.stands === 0 ? nothing : reported.isolation
  const confirmed = (reported?.stands ?? 0) === generation
  const ordered = isolation.type !== 'None'
  const [state, by] =
    stands.type === 'None'
      ? ([ordered ? 'Isolating' : 'NotIsolated', isolation] as const)
      : ([ordered ? 'Isolated' : 'Releasing', ordered ? isolation : stands] as const)
  const isFree = by.type === 'None'
  return {
    state,
    type: isFree ? null : by.type === 'Selective' ? 'Selective' : 'Full',
    action: isFree ? null : by.action,
    since: stands.type === 'None' ? null : since,
    confirmed,
  }
}
