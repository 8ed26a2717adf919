/** How a device is to stand: for each aspect the fold of its actions into one document. What is undone is folded without. */
import {
  aspectOf,
  canonical,
  mostAddresses,
  standStates,
  type Aspect,
  type Passage,
  type Posture,
  type PostureReport,
  type StandType,
} from '@countermand/contract'
import type { Action } from './action-shape.ts'
import { isOpen, isOutstanding, isUndelivered } from './action.ts'

type Stand = Pick<Posture, 'action' | 'type'>

/** What is known of how a device stands in one aspect, and is to stand. */
export interface Stance {
  /** The document that was last ordered, with generation 0 before the first; who is to be gone is added when it is sent. */
  readonly ordered: Omit<Posture, 'withdrawn'>
  /** The newest action that has succeeded: it shows through where no later one counts. */
  readonly base: Stand
  /** As the device last said; null before it has said anything. */
  readonly reported: PostureReport | null
  /** Since when the device says that it stands by this action, in milliseconds since 1970; null while it stands free. */
  readonly since: number | null
}
export type Stances = Readonly<Record<Aspect, Stance>>

/** What the tenant and this server add to what actions ask for. */
export type Surroundings = Readonly<Passage>

const nothing = { action: null, type: 'None' } as const
const closed: Passage = { allow: [], confirm: 'revert', server: [] }
const begin = { base: nothing, reported: null, since: null }
export const firstStances: Stances = {
  isolation: { ...begin, ordered: { generation: 0, ...nothing, passage: closed } },
  restriction: { ...begin, ordered: { generation: 0, ...nothing } },
}

export const eachAspect = <Value>(of: (aspect: Aspect) => Value): Readonly<Record<Aspect, Value>> => ({
  isolation: of('isolation'),
  restriction: of('restriction'),
})

/** Open actions about this aspect, the oldest first. */
const about = (live: readonly Action[], aspect: Aspect): readonly Action[] =>
  live.filter(({ type }) => aspectOf(type) === aspect)

/** On its way or there: released, open, and nobody has asked to take it back. */
const counts = (action: Action): boolean =>
  isOpen(action) &&
  action.phase !== 'scheduled' &&
  action.phase !== 'awaiting_approval' &&
  !isOutstanding(action.cancel)

export function standTypeOf({ parameters }: Pick<Action, 'parameters'>): StandType {
  if ('isolation' in parameters) return parameters.isolation
  return 'restriction' in parameters ? parameters.restriction : 'None'
}

const standOf = (action: Action): Stand => ({ action: action.id, type: standTypeOf(action) })

/** The action that decides how the device is to stand, with its way; that of `base` where none is on its way. */
function decider(live: readonly Action[], aspect: Aspect, { base }: Stance): Stand {
  const newest = about(live, aspect).findLast(counts)
  return newest === undefined ? base : standOf(newest)
}

/**
 * How the device is to stand now. The very same object where nothing is to change; else a later generation than any that was
 * ordered, or that the device has taken from a server that was restored since.
 */
export function fold(stance: Stance, aspect: Aspect, live: readonly Action[], around: Surroundings): Stance {
  const { ordered } = stance
  const stand = decider(live, aspect, stance)
  const content = {
    ...stand,
    ...(aspect === 'isolation' && { passage: passageOf(stand, ordered, around) }),
  }
  const taken = stance.reported?.taken ?? 0
  const { generation, ...before } = ordered
  if (taken <= generation && canonical(content) === canonical(before)) return stance
  return { ...stance, ordered: { generation: Math.max(generation, taken) + 1, ...content } }
}

function passageOf(stand: Stand, before: Stance['ordered'], around: Surroundings): Passage {
  if (stand.type === 'None') return closed
  const known = before.action === stand.action ? (before.passage?.server ?? []) : []
  return {
    allow: stand.type === 'Selective' ? [...around.allow] : [],
    confirm: around.confirm,
    server: serverOf(known, around.server),
  }
}

/** While the same action stands addresses only come: a device may be on its way by one that is not seen now. */
function serverOf(before: string[], now: readonly string[]): string[] {
  if (now.every((address) => before.includes(address))) return before
  return [...new Set([...before, ...now])].toSorted().slice(0, mostAddresses)
}

/** An action has succeeded. */
export const based = (stance: Stance, action: Action): Stance => ({ ...stance, base: standOf(action) })

/** What the device says of how it stands. */
export function heard(stance: Stance, reported: PostureReport, at: Date): Stance {
  const before = stance.reported ?? nothing
  const { action, type } = reported
  const isSame = before.action === action && before.type === type
  const since = type === 'None' ? null : isSame ? stance.since : at.getTime()
  return { ...stance, reported, since }
}

/** The document as it is sent, with what its device is still to confirm as gone. Who stands free hears where the server is now. */
export function documentOf(
  { ordered }: Stance,
  aspect: Aspect,
  live: readonly Action[],
  around: Pick<Surroundings, 'server'>,
): Posture {
  const { passage, ...rest } = ordered
  const isFree = ordered.type === 'None'
  return {
    ...rest,
    ...(passage && { passage: isFree ? { ...passage, server: around.server } : passage }),
    withdrawn: about(live, aspect)
      .filter((action) => isOutstanding(action.cancel) || isUndelivered(action))
      .map(({ id }) => id),
  }
}

/** How a device stands in one aspect, as it is shown. */
export interface Standing<Of extends Aspect = Aspect> {
  readonly state: (typeof standStates)[Of][number]
  /** Null where it neither stands so nor is on its way there. */
  readonly type: 'Full' | 'Selective' | null
  readonly action: string | null
  readonly since: number | null
  /** True once the device has said that what is ordered now stands, and was read back. */
  readonly confirmed: boolean
}

/** What was ordered, beside what the device has said. */
export function shownOf<Of extends Aspect>(stances: Stances, aspect: Of): Standing<Of> {
  const { ordered, reported, since } = stances[aspect]
  const stands = reported === null || reported.stands === 0 ? nothing : reported
  const isOrdered = ordered.type !== 'None'
  const isStanding = stands.type !== 'None'
  const { action, type } = isStanding && !isOrdered ? stands : ordered
  return {
    state: standStates[aspect][isStanding ? (isOrdered ? 2 : 3) : isOrdered ? 1 : 0],
    type: type === 'None' ? null : type,
    action: type === 'None' ? null : action,
    since: isStanding ? since : null,
    confirmed: (reported?.stands ?? 0) === ordered.generation,
  }
}
