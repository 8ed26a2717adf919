/** Every kill point of both programs, and how a round gets there. A point without its way does not compile. */
import type { Aspect } from '@countermand/contract'
import {
  killPoints as agentPoints,
  type KillPoint as AgentPoint,
} from '../../packages/agent/src/kill-points.ts'
import {
  killPoints as serverPoints,
  type KillPoint as ServerPoint,
} from '../../packages/server/src/kill-points.ts'

export type Side = 'agent' | 'server'
/** No round of scripts comes by these: `test/isolation/steps.test.ts` and `test/steps` die at each. */
type Elsewhere =
  | `${Aspect}-${'candidate' | 'applied' | 'confirmed'}`
  | 'processes-frozen'
  | 'processes-killed'
  | 'quarantine-promised'
  | 'quarantine-copied'
  | 'quarantine-aside'
  | 'quarantine-kept'
  | 'quarantine-back'
  | 'postures-off'
  | 'committed'
  | 'key-doomed'
  | 'key-destroyed'
export type PointName = Exclude<AgentPoint | ServerPoint, Elsewhere>

/** How the script is to end: by itself, or by a cancel. */
export type Ending = 'itself' | 'cancel'

export interface Way {
  readonly endings: readonly Ending[]
  /** The most that N of NAME:N may be: it comes by at least so often in every round. */
  readonly times: number
  /** From when a cancel is in season: from the issue, once the script has begun, or once something has died. */
  readonly cancelFrom: 'issue' | 'begin' | 'death'
  /** What else it takes: the agent has died once before, or a device enrols. */
  readonly also?: 'death before' | 'newcomer'
}

const either = ['itself', 'cancel'] as const
const plain: Way = { endings: either, times: 1, cancelFrom: 'begin' }

export const ways: Readonly<Record<PointName, Way>> = {
  'offer-journalled': plain,
  'scope-made': plain,
  'start-decided': plain,
  spawned: plain,
  'news-written': { ...plain, times: 2 },
  'statement-saved': { ...plain, times: 3 },
  'reply-received': { ...plain, times: 3 },
  // Only what is held and may not start can be withdrawn: an agent that has died over an offer brings that about.
  'cancel-withdrawn': { endings: ['cancel'], times: 1, cancelFrom: 'death', also: 'death before' },
  'cancel-journalled': { ...plain, endings: ['cancel'] },
  'step-over': plain,
  'step-begun': plain,
  frozen: plain,
  emptied: plain,
  undone: { ...plain, endings: ['cancel'] },
  'outcome-journalled': plain,
  'orders-obeyed': { ...plain, times: 3 },
  'dropped-half-way': plain,

  'cancel-received': { endings: ['cancel'], times: 1, cancelFrom: 'issue' },
  'cancel-committed': { endings: ['cancel'], times: 1, cancelFrom: 'issue' },
  'issue-committed': { ...plain, cancelFrom: 'issue' },
  'statement-received': { ...plain, times: 3 },
  'statement-committed': { ...plain, times: 3 },
  'batch-uncommitted': { ...plain, times: 4 },
  'upload-stored': { ...plain, cancelFrom: 'issue' },
  'result-stored': { ...plain, cancelFrom: 'death' },
  'enrolment-committed': { ...plain, cancelFrom: 'issue', also: 'newcomer' },
}

export const points: readonly { readonly name: PointName; readonly side: Side }[] = [
  ...namesOf(agentPoints).map((name) => ({ name, side: 'agent' as const })),
  ...namesOf(serverPoints).map((name) => ({ name, side: 'server' as const })),
]

function namesOf(sentences: Readonly<Record<string, string>>): readonly PointName[] {
  return Object.keys(sentences).filter((name): name is PointName => Object.hasOwn(ways, name))
}
