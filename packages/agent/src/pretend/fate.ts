/** What becomes of an action on a pretended device: how long its work takes, how it ends, what a scenario changes of that. Pure. */
import type { ActionParameters, ActionType } from '@countermand/contract'
import type { Dice } from './dice.ts'
import type { Scenario } from './scenarios.ts'
import type { Program } from './scopes.ts'

/** What was asked for. */
export interface Order {
  readonly type: ActionType
  readonly parameters: ActionParameters
}

export interface Fate {
  readonly scenario: Scenario
  /** What its programs do, each. */
  readonly program: Program
}

type Span = readonly [from: number, to: number]
/** How long work takes on a host that is neither fast nor slow, in seconds. */
const usual: Partial<Readonly<Record<ActionType, Span>>> = {
  LiveResponse: [10, 60],
  CollectInvestigationPackage: [120, 600],
  RunAntiVirusScan: [300, 1200],
}
const fullScan: Span = [3600, 14_400]
const short: Span = [5, 20]

/** Now and then something fails, where nothing was asked for. */
const failing = 0.04

export function natural(dice: Dice): Scenario {
  return { says: 'as it comes', ...(dice() < failing && { fails: true }) }
}

/** `speed`: how often as fast as the world. */
export function fateOf(
  order: Order,
  scenario: Scenario,
  { dice, speed }: { readonly dice: Dice; readonly speed: number },
): Fate {
  const isFull = 'scanType' in order.parameters && order.parameters.scanType === 'Full'
  const [from, to] = isFull ? fullScan : (usual[order.type] ?? short)
  const seconds = scenario.lasts ?? (from + dice() * (to - from)) * (scenario.takes ?? 1)
  const found = order.type === 'RunAntiVirusScan' && dice() < 0.1
  return {
    scenario,
    program: {
      takesMs: (seconds * 1000) / speed,
      status: scenario.fails === true ? null : found ? 1 : 0,
      output: found ? '/home/pretended/eicar.com: Eicar-Test-Signature FOUND\n' : said,
      endsWhenStopped: scenario.endsWhenStopped ?? false,
      unstoppable: scenario.refuses === true ? 'pretended: what it does must not be left half done' : null,
      outlivesKillMs: ((scenario.outlivesKill ?? 0) * 1000) / speed,
    },
  }
}

const said = 'This is a pretended device: nothing was run.\n'
