/** What becomes of each action of one pretended device, decided when its order comes in, and what follows from that. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Dice } from './dice.ts'
import { fateOf, natural, type Fate, type Order } from './fate.ts'
import { chosen, chosenIn, type Choice, type Scenario } from './scenarios.ts'
import type { Fates } from './scopes.ts'
import type { Truth } from './truth.ts'

export interface FateParts {
  readonly dice: Dice
  /** How often as fast as the world. */
  readonly speed: number
  /** For all actions that name no other; null for what chance has. */
  readonly scenario: Choice | null
  /** Nothing happens by chance. */
  readonly isSteady: boolean
  /** The comment that an action was asked for with. */
  readonly commentOf: (actionId: string) => Promise<string>
  /** Resolves once its server can be reached and has said something, or the signal is aborted. */
  readonly whenHeard: (signal: AbortSignal) => Promise<void>
}

export interface KnownFates extends Fates {
  /** An order has come in, of an action that may be known already. */
  decide(id: string, order: Order): Promise<Scenario>
  of(id: string): Scenario
  /** What has really become of every action that was begun. */
  truths(): ReadonlyMap<string, Truth>
  /** It is about to be done: resolves once it has waited as its scenario has it. */
  held(id: string): Promise<void>
  /** Who waits to begin it waits no longer. */
  hurry(id: string): void
  hurryAll(): void
}

const nothing: Scenario = { says: 'as it comes' }
const forgotten: Order = { type: 'LiveResponse', parameters: { commands: [] } }
const lookMs = 50

export function openFates(parts: FateParts): KnownFates {
  const { dice, speed } = parts
  const known = new Map<string, Fate>()
  const truths = new Map<string, Truth>()
  const waits = new Waits()
  const of = (id: string): Scenario => known.get(id)?.scenario ?? nothing
  const pick = async (id: string): Promise<Scenario> => {
    const choice = chosenIn(await parts.commentOf(id)) ?? parts.scenario
    return choice !== null ? chosen(choice) : parts.isSteady ? nothing : natural(dice)
  }
  const hold = async (id: string, hurried: AbortSignal): Promise<void> => {
    const until = Date.now() + ((of(id).waits ?? 0) * 1000) / speed
    while (Date.now() < until && !hurried.aborted) await pause(lookMs)
  }
  return {
    of,
    hurryAll: () => waits.hurryAll(),
    hurry: (id) => waits.hurry(id),
    decide: async (id, order) => {
      const before = known.get(id)
      if (before !== undefined) return before.scenario
      const scenario = await pick(id)
      known.set(id, fateOf(order, scenario, { dice, speed }))
      return scenario
    },
    held: (id) => waits.once(id, (hurried) => hold(id, hurried)),
    ready: (id) =>
      waits.once(id, async (hurried) => {
        if (of(id).away?.from === 'ordered') await parts.whenHeard(hurried)
        await hold(id, hurried)
      }),
    truths: () => truths,
    ended: (id) => void truths.set(id, 'done'),
    started: (id) => {
      truths.set(id, 'begun')
      // Its order came before this rehearsal was started again.
      return (known.get(id) ?? fateOf(forgotten, nothing, { dice, speed })).program
    },
  }
}

/** What has waited once, or is taken back, does not wait again. */
class Waits {
  private readonly waited = new Set<string>()
  private readonly waiting = new Map<string, AbortController>()

  async once(id: string, wait: (hurried: AbortSignal) => Promise<void>): Promise<void> {
    if (this.waited.has(id)) return
    this.waited.add(id)
    const hurried = new AbortController()
    this.waiting.set(id, hurried)
    try {
      await wait(hurried.signal)
    } finally {
      this.waiting.delete(id)
    }
  }

  hurry(id: string): void {
    this.waiting.get(id)?.abort()
  }

  hurryAll(): void {
    for (const each of this.waiting.values()) each.abort()
  }
}
