/** The picture of a rehearsal, as text for a terminal of some size. */
import { percentile, type OpenAction, type State } from './state.ts'

export interface Frame {
  readonly columns: number
  readonly rows: number
  /** Milliseconds since 1970. */
  readonly now: number
  /** One line: where it is, how fast. */
  readonly title: string
  readonly devices: number
  /** What the rehearsal itself said last. */
  readonly said: string
}

const shownAlarms = 5

export function screenOf(state: State, { columns, rows, now, title, devices, said }: Frame): string {
  const away = devices - state.reachable
  const head = [
    title,
    `devices  ${devices}, enrolled ${state.names.size}, reachable ${state.reachable}${away > 0 ? `, away ${away}` : ''}`,
    `ended    ${[...state.ends].map(([end, many]) => `${end} ${many}`).join(', ') || 'nothing yet'}`,
    `cancels  ${cancels(state.latencies)}`,
    said,
  ]
  const alarms = state.alarms.slice(-shownAlarms).map(({ at, kind, machineId, actionId }) => {
    const name = state.names.get(machineId ?? '') ?? machineId ?? 'the server'
    return `${at.slice(11, 19)}  ${kind}  ${name}  ${actionId ?? ''}`
  })
  const foot = ['', `alarms   ${state.alarms.length === 0 ? 'none' : ''}`, ...alarms]
  const room = Math.max(1, rows - head.length - foot.length - 3)
  const open = [...state.open.values()].toReversed()
  const table = [
    `open     ${open.length}`,
    line('type', 'device', 'since', 'stands', 'cancel', 'scenario'),
    ...open.slice(0, room).map((action) => rowOf(action, state.names, now)),
    ...(open.length > room ? [`… and ${open.length - room} more`] : []),
  ]
  return [...head, ...table, ...foot].map((text) => text.slice(0, columns)).join('\n')
}

function rowOf(action: OpenAction, names: State['names'], now: number): string {
  const { type, machineId, since, stands, cancelSince, scenario } = action
  return line(
    type,
    names.get(machineId) ?? machineId.slice(0, 12),
    seconds(now - since),
    stands,
    cancelSince === null ? '' : `for ${seconds(now - cancelSince)}`,
    scenario ?? '',
  )
}

const widths = [28, 22, 9, 24, 11, 16]
const line = (...cells: readonly string[]): string =>
  cells.map((cell, index) => cell.slice(0, (widths[index] ?? 10) - 1).padEnd(widths[index] ?? 10)).join('')

const seconds = (ms: number): string => `${Math.max(0, Math.round(ms / 1_000))} s`

function cancels(latencies: readonly number[]): string {
  const [median, p99] = [percentile(latencies, 0.5), percentile(latencies, 0.99)]
  if (median === null || p99 === null) return 'none yet'
  return `${latencies.length} decided, median ${median} ms, p99 ${p99} ms, last ${latencies.at(-1)} ms`
}
