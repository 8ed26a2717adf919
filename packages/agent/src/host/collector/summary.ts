import { packageItems } from './items/index.ts'
import type { Item } from './item.ts'
import { wordMeanings } from './words.ts'

/** What a package says of itself, beside its items. */
export interface PackageFacts {
  readonly hostName: string
  /** System and version, as a person says it. */
  readonly system: string
  readonly agentVersion: string
  readonly actionId: string
  /** ISO 8601. */
  readonly startedAt: string
  readonly endedAt: string
}

export const outcomeKinds = ['ok', 'cut', 'failed', 'timed out', 'not on this host', 'not reached'] as const
export type OutcomeKind = (typeof outcomeKinds)[number]

export interface ItemOutcome {
  readonly number: number
  readonly name: string
  readonly title: string
  /** Null where it was not begun. */
  readonly file: string | null
  readonly command: string | null
  readonly startedAt: string | null
  readonly durationMs: number | null
  /** Exit status of its command. */
  readonly status: number | null
  readonly kind: OutcomeKind
  /** The kind in full: how long, how much, which program. */
  readonly outcome: string
}

export interface Summary {
  readonly text: string
  readonly json: string
  readonly outcomes: readonly ItemOutcome[]
}

/** Of each item that a package should have, how it went. `table`: what the script wrote, as far as it came. */
export function summaryOf(
  table: string,
  facts: PackageFacts,
  items: readonly Item[] = packageItems,
): Summary {
  const rows = new Map(table.split('\n').map((line) => [line.split('\t')[1], line.split('\t')]))
  const outcomes = items.map((item, index) => outcomeOf(item, index + 1, rows.get(item.name) ?? []))
  const counts = Object.fromEntries(outcomeKinds.map((kind) => [kind, countOf(outcomes, kind)]))
  return {
    text: textOf(facts, outcomes),
    json: `${JSON.stringify({ ...facts, counts, items: outcomes }, null, 2)}\n`,
    outcomes,
  }
}

function outcomeOf({ name, title }: Item, number: number, row: readonly string[]): ItemOutcome {
  const [, , file, command, started, duration, status, outcome = 'not reached'] = row
  return {
    number,
    name,
    title,
    file: textIn(file),
    command: textIn(command),
    startedAt: textIn(started),
    durationMs: numberIn(duration),
    status: numberIn(status),
    kind: outcomeKinds.find((kind) => outcome.startsWith(kind)) ?? 'failed',
    outcome,
  }
}

const textIn = (cell = ''): string | null => (cell === '' ? null : cell)
const numberIn = (cell = ''): number | null => (cell === '' ? null : Number(cell))
const countOf = (outcomes: readonly ItemOutcome[], wanted: OutcomeKind): number =>
  outcomes.filter(({ kind }) => kind === wanted).length

function textOf(facts: PackageFacts, outcomes: readonly ItemOutcome[]): string {
  const counted = outcomeKinds
    .map((kind) => ({ kind, count: countOf(outcomes, kind) }))
    .filter(({ count }) => count > 0)
    .map(({ kind, count }) => `${count} ${kind}`)
  return [
    'Investigation package',
    '',
    `Host       ${facts.hostName} (${facts.system})`,
    `Collected  ${facts.startedAt} to ${facts.endedAt}`,
    `By         Countermand agent ${facts.agentVersion}, action ${facts.actionId}`,
    `Items      ${outcomes.length}: ${counted.join(', ')}`,
    '',
    ...aligned([['#', 'Item', 'File', 'Seconds', 'Outcome', 'Command'], ...outcomes.map(cellsOf)]),
    '',
    'What the items are:',
    ...aligned(outcomes.map(({ name, title }) => [`  ${name}`, title])),
    '',
    'Words in commands that are no programs:',
    ...aligned(wordMeanings.map(([word, meaning]) => [`  ${word}`, meaning])),
    '',
  ].join('\n')
}

const cellsOf = ({ number, name, file, durationMs, outcome, command }: ItemOutcome): string[] => [
  String(number),
  name,
  file ?? '-',
  durationMs === null ? '-' : (durationMs / 1000).toFixed(2),
  outcome,
  command ?? '-',
]

/** In columns, two blanks apart; the last one is as long as it is. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row.map((cell, column) => (column < row.length - 1 ? cell.padEnd(widths[column] ?? 0) : cell)).join('  '),
  )
}
