/** What a rehearsal shows, by the events of the server. Pure but for its own memory. */
import { chosenIn } from '../packages/agent/src/pretend/scenarios.ts'
import type { LiveEvent } from '../packages/contract/src/index.ts'

export interface OpenAction {
  readonly id: string
  readonly type: string
  readonly machineId: string
  readonly scenario: string | null
  /** Milliseconds since 1970, by the server. */
  readonly since: number
  /** As its last event says. */
  readonly stands: string
  /** Since when a cancel waits; null while none does. */
  readonly cancelSince: number | null
}

export interface Alarm {
  readonly at: string
  readonly kind: string
  readonly machineId: string | null
  readonly actionId: string | null
}

export interface State {
  readonly open: ReadonlyMap<string, OpenAction>
  readonly names: ReadonlyMap<string, string>
  readonly reachable: number
  /** How often each end has been reached. */
  readonly ends: ReadonlyMap<string, number>
  /** How long each cancel took from its request to the action's end, in milliseconds, the latest last. */
  readonly latencies: readonly number[]
  /** The latest last. */
  readonly alarms: readonly Alarm[]
}

const keptLatencies = 10_000
const keptAlarms = 100
const finals = [
  'action.succeeded',
  'action.failed',
  'action.timed_out',
  'action.cancelled',
  'action.revert_failed',
]

/** Words for what has just happened; what is not listed leaves an action standing as it did. */
const words: Readonly<Record<string, string>> = {
  'action.requested': 'waiting for its device',
  'action.offered': 'on its way',
  'action.accepted': 'taken up',
  'action.started': 'running',
  'action.stepped': 'running',
  'action.ended': 'ending',
  'action.cannot_stop': 'cannot be stopped now',
  'action.unkillable': 'cannot be killed yet',
}

export class Rehearsal implements State {
  readonly open = new Map<string, OpenAction>()
  readonly names = new Map<string, string>()
  readonly ends = new Map<string, number>()
  readonly latencies: number[] = []
  readonly alarms: Alarm[] = []
  /** By process of devices. */
  private readonly up = new Map<number, number>()

  get reachable(): number {
    return [...this.up.values()].reduce((sum, some) => sum + some, 0)
  }

  devices(process: number, reachable: number, enrolled: readonly (readonly [string, string])[]): void {
    this.up.set(process, reachable)
    for (const [id, name] of enrolled) this.names.set(id, name)
  }

  hear(event: LiveEvent): void {
    const { kind, at, actionId, machineId } = event
    if (event.alarm) this.alarms.push({ at, kind, machineId, actionId })
    if (this.alarms.length > keptAlarms) this.alarms.shift()
    if (actionId === null) return
    if (kind === 'action.requested') this.open.set(actionId, begun(event, actionId))
    const action = this.open.get(actionId)
    if (action === undefined) return
    if (finals.includes(kind)) return this.end(action, kind, Date.parse(at))
    const cancelSince = kind === 'action.cancel_requested' ? Date.parse(at) : action.cancelSince
    this.open.set(actionId, { ...action, stands: words[kind] ?? action.stands, cancelSince })
  }

  private end(action: OpenAction, kind: string, at: number): void {
    this.open.delete(action.id)
    const end = kind.slice('action.'.length)
    this.ends.set(end, (this.ends.get(end) ?? 0) + 1)
    if (action.cancelSince === null) return
    this.latencies.push(at - action.cancelSince)
    if (this.latencies.length > keptLatencies) this.latencies.shift()
  }
}

function begun({ at, machineId, data }: LiveEvent, id: string): OpenAction {
  const comment = typeof data.comment === 'string' ? data.comment : ''
  return {
    id,
    type: typeof data.type === 'string' ? data.type : '',
    machineId: machineId ?? '',
    scenario: chosenIn(comment)?.name ?? null,
    since: Date.parse(at),
    stands: words['action.requested'] ?? '',
    cancelSince: null,
  }
}

/** Of a share of them no more; null where there are none. */
export function percentile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null
}
