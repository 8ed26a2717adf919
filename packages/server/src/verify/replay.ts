/** From a kept event back to what happened, so that the rules can be asked again what must follow. */
import type { ActionEvent, GoneReason } from '../core/action-shape.ts'
import type { Data } from './chain.ts'

/**
 * Who must have said it. `news`: an item of the statement's news. `held` and `absent`: the statement's list, with the action in
 * it or without. `sync`: some statement, to which the server answered by it. `server`: no device.
 */
export type Origin = 'news' | 'held' | 'absent' | 'sync' | 'server'

interface Happening {
  readonly origin: Origin
  /** What it carries beside its kind. */
  readonly fields: readonly string[]
  /** What it may carry. */
  readonly maybe?: readonly string[]
}

const happenings: Readonly<Record<ActionEvent['kind'], Happening>> = {
  released: { origin: 'server', fields: [] },
  offered: { origin: 'sync', fields: [] },
  accepted: { origin: 'held', fields: [] },
  cancel_sent: { origin: 'held', fields: [] },
  not_received: { origin: 'absent', fields: [] },
  journal_lost: { origin: 'absent', fields: [] },
  started: { origin: 'news', fields: ['commands'] },
  stepped: { origin: 'news', fields: ['commands'] },
  ended: { origin: 'news', fields: ['commands'] },
  finished: { origin: 'news', fields: ['outcome', 'detail', 'commands'] },
  cancel_acknowledged: { origin: 'news', fields: [] },
  refused_start: { origin: 'news', fields: ['commands'] },
  stopped: { origin: 'news', fields: ['proof', 'residues', 'commands'] },
  reverted: { origin: 'news', fields: ['commands'] },
  revert_failed: { origin: 'news', fields: ['residues', 'commands'] },
  cannot_stop: { origin: 'news', fields: ['detail'] },
  unkillable: { origin: 'news', fields: ['detail'] },
  deadline_passed: { origin: 'server', fields: [] },
  device_gone: { origin: 'server', fields: ['reason'] },
  cancel_requested: {
    origin: 'server',
    fields: ['by', 'comment', 'reason'],
    maybe: ['graceMs', 'limitMs', 'trace', 'supersededBy'],
  },
  forced: { origin: 'server', fields: ['by', 'comment'] },
}

export const originOf = ({ kind }: ActionEvent): Origin => happenings[kind].origin

/** What must have happened for this to be written down first; null where nothing is known that could have. */
export function eventOf(kind: string, data: Data): ActionEvent | null {
  const name = nameOf(kind, data)
  if (!isKind(name)) return null
  const { fields, maybe = [] } = happenings[name]
  const carried = [...fields, ...maybe.filter((field) => Object.hasOwn(data, field))]
  const event = { kind: name, ...Object.fromEntries(carried.map((field) => [field, data[field]])) }
  return isWhole(event) ? event : null
}

const isKind = (name: string): name is ActionEvent['kind'] => Object.hasOwn(happenings, name)

/** Whether the values are right shows when the rules write them down again. */
const isWhole = (event: { readonly kind: ActionEvent['kind'] }): event is ActionEvent =>
  Object.values(event).every((value) => value !== undefined)

/** The reverse of how `core/history.ts` names what it writes. */
function nameOf(kind: string, data: Data): string {
  if (typeof data.said === 'string') return data.said
  switch (kind) {
    case 'action.cancel_forced':
      return 'forced'
    case 'action.succeeded':
    case 'action.failed':
    case 'action.timed_out':
      return 'outcome' in data ? 'finished' : endedBy(data.reason)
    default:
      return kind.replace(/^action\./, '')
  }
}

function endedBy(reason: unknown): ActionEvent['kind'] {
  if (reason === 'journal_lost') return 'journal_lost'
  const gone: readonly unknown[] = [
    'device_reenrolled',
    'device_removed',
    'key_revoked',
  ] satisfies GoneReason[]
  return gone.includes(reason) ? 'device_gone' : 'deadline_passed'
}
