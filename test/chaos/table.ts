/** What came of it, for people. */
import type { Chaos, Played } from './chaos.ts'
import type { Fault, FaultKind } from './judge.ts'
import { points } from './points.ts'

const kinds = ['lost', 'untrue', 'left', 'open'] as const satisfies readonly FaultKind[]
const headings = ['point', 'side', 'rounds', 'hits', 'lost', 'untrue', 'left', 'open for ever']

export function tableOf({ played, lastFaults }: Chaos): string {
  const rows = points.map(({ name, side }) => {
    const rounds = played.filter(({ point }) => point === name)
    return [name, side, String(rounds.length), String(hitsIn(rounds)), ...counts(rounds.flatMap(faultsOf))]
  })
  const all = played.flatMap(faultsOf)
  const last = ['at the end', '', '', '', ...counts(lastFaults)]
  const sums = [
    'together',
    '',
    String(played.length),
    String(hitsIn(played)),
    ...counts([...all, ...lastFaults]),
  ]
  const lines = [headings, ...rows, last, sums]
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell[isWord(column) ? 'padEnd' : 'padStart'](widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const isWord = (column: number): boolean => column < 2
const faultsOf = ({ faults }: Played): readonly Fault[] => faults
export const hitsIn = (played: readonly Played[]): number => played.filter(({ isHit }) => isHit).length
const counts = (faults: readonly Fault[]): readonly string[] =>
  kinds.map((kind) => String(faults.filter((fault) => fault.kind === kind).length))

/** A line for each fault, with what repeats it. */
export function faultLines({ played, lastFaults }: Chaos, seed: number): readonly string[] {
  const ofRounds = played.flatMap(({ round, point, faults }) =>
    faults.map(
      ({ kind, text }) =>
        `${kind} at ${point}: COUNTERMAND_CHAOS_SEED=${seed} npm run chaos -- --only ${round}   ${text}`,
    ),
  )
  return [...ofRounds, ...lastFaults.map(({ kind, text }) => `${kind} at the end, seed ${seed}: ${text}`)]
}

/** Points that were not died at this often, in words. */
export function wanting({ played }: Chaos, leastHits: number): readonly string[] {
  return points.flatMap(({ name }) => {
    const hits = hitsIn(played.filter(({ point }) => point === name))
    return hits < leastHits ? [`${name} was died at ${hits} times, not ${leastHits}`] : []
  })
}
