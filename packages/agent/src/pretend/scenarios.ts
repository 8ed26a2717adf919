/** What can be made to happen to an action on a pretended device: each by its name, with what it changes. Data only. */

/** When something happens to a device: an order is about to reach it, the server has heard that the work has begun. */
export type Moment = 'ordered' | 'begun'

/** Times are seconds of the rehearsal, before its speed. */
export interface Scenario {
  /** For people (`npm run rehearse -- --help`). */
  readonly says: string
  /** How often as long as it would have taken; infinite for what never ends by itself. */
  readonly takes?: number
  /** How long it takes, whatever it is. */
  readonly lasts?: number
  /** It waits so long before it begins. */
  readonly waits?: number
  /** Its work fails. */
  readonly fails?: true
  /** It ends in the very moment in which it is stopped. */
  readonly endsWhenStopped?: true
  /** Its step is not to be stopped. */
  readonly refuses?: true
  /** For so long it cannot be killed. */
  readonly outlivesKill?: number
  /** Taking it back fails. */
  readonly undoFails?: true
  /** Its device cannot be reached from then on, for so long; infinite for ever. */
  readonly away?: { readonly from: Moment; readonly seconds: number }
  /** For so long every reply that brings it is lost. */
  readonly losesReply?: number
  /** Of what is said in either direction this share is lost, for so long. */
  readonly loses?: { readonly share: number; readonly seconds: number }
  /** What becomes of its device once the work has begun. */
  readonly device?: 'restarts' | 'reboots' | 'copied' | 'installed anew'
}

export const scenarios = {
  slow: { says: 'it waits before it begins, and takes ten times as long', waits: 60, takes: 10 },
  fails: { says: 'its work fails', fails: true },
  'times-out': { says: 'it never ends by itself: its run limit ends it', takes: Infinity },
  offline: {
    says: 'its device cannot be reached once the order is there, and comes back',
    away: { from: 'ordered', seconds: 300 },
  },
  'offline-running': {
    says: 'its device cannot be reached once the work has begun, and comes back',
    lasts: 500,
    away: { from: 'begun', seconds: 300 },
  },
  'never-returns': {
    says: 'its device cannot be reached once the work has begun, and never again',
    takes: Infinity,
    away: { from: 'begun', seconds: Infinity },
  },
  'too-late': {
    says: 'the work is done soon, and its device cannot say so for a while: a cancel meanwhile comes too late',
    lasts: 5,
    away: { from: 'begun', seconds: 600 },
  },
  'just-ended': {
    says: 'the work ends in the moment in which a cancel stops it',
    takes: Infinity,
    endsWhenStopped: true,
  },
  refuses: {
    says: 'its step is not to be stopped: the device says why, and goes on',
    lasts: 300,
    refuses: true,
  },
  'lost-offer': { says: 'for a while every reply that brings it is lost on its way', losesReply: 300 },
  unkillable: { says: 'for a while its processes cannot be killed', takes: Infinity, outlivesKill: 600 },
  'undo-fails': { says: 'what it did cannot be taken back', lasts: 300, undoFails: true },
  restarts: {
    says: 'the agent ends over it and starts again: the work goes on',
    takes: 10,
    device: 'restarts',
  },
  reboots: { says: 'its device reboots over it: the work is interrupted', lasts: 300, device: 'reboots' },
  clone: {
    says: 'its device is copied while the work runs: two with one identity, until one enrols again',
    takes: Infinity,
    device: 'copied',
  },
  reinstalled: {
    says: 'its device is installed anew over it, and enrols under its old id',
    lasts: 300,
    device: 'installed anew',
  },
  'flaky-network': {
    says: 'a third of what its device says and hears is lost, for a while',
    lasts: 600,
    loses: { share: 1 / 3, seconds: 1200 },
  },
} as const satisfies Readonly<Record<string, Scenario>>

export type ScenarioName = keyof typeof scenarios
export const scenarioNames = Object.keys(scenarios).filter(isScenario)

export function isScenario(name: string): name is ScenarioName {
  return Object.hasOwn(scenarios, name)
}

/** Which one, and for how many seconds instead of its own, where it has a time. */
export interface Choice {
  readonly name: ScenarioName
  readonly seconds: number | null
}

/** `offline` or `offline=30`; null for anything else. */
export function choiceOf(word: string): Choice | null {
  const [, name = '', seconds] = /^([a-z-]+)(?:=(\d{1,6}))?$/.exec(word) ?? []
  if (!isScenario(name)) return null
  return { name, seconds: seconds === undefined ? null : Number(seconds) }
}

/** The first one that a comment names, as a word of its own. */
export function chosenIn(comment: string): Choice | null {
  for (const word of comment.toLowerCase().split(/[^a-z0-9=-]+/)) {
    const choice = choiceOf(word)
    if (choice !== null) return choice
  }
  return null
}

/** As it was chosen, its time included. */
export function chosen({ name, seconds }: Choice): Scenario {
  const scenario: Scenario = scenarios[name]
  if (seconds === null) return scenario
  const { away, loses, losesReply, waits, outlivesKill } = scenario
  return {
    ...scenario,
    ...(away !== undefined && { away: { ...away, seconds } }),
    ...(loses !== undefined && { loses: { ...loses, seconds } }),
    ...(losesReply !== undefined && { losesReply: seconds }),
    ...(waits !== undefined && { waits: seconds }),
    ...(outlivesKill !== undefined && { outlivesKill: seconds }),
  }
}
