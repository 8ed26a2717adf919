/** What a round does, by its seed and number alone, so that one round can be played again. What comes of it, time decides. */
import { points, ways, type Ending, type PointName, type Side } from './points.ts'

export interface Plan {
  readonly round: number
  /** Stands in everything that belongs to this round: comments, names, command lines. */
  readonly word: string
  readonly point: PointName
  readonly side: Side
  /** Dies the Nth time that it comes by. */
  readonly times: number
  readonly ending: Ending
  /** How long the script runs if nobody stops it. */
  readonly runMs: number
  /** From when the cancel is in season, until it is asked for. */
  readonly cancelAfterMs: number
  /** The cancel waits until the script has begun, even where it might come sooner. */
  readonly cancelWaits: boolean
  /** How long the cancel gives what runs, between asking it to end and killing it. */
  readonly graceSeconds: 0 | 1
  /** How long what has died stays dead. */
  readonly deadMs: number
}

/** Numbers below `below` that the seed decides. */
export function dice(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Rounds take the points in turn. */
export const pointOf = (round: number): (typeof points)[number] => {
  const point = points[(round - 1) % points.length]
  if (point === undefined) throw new Error('there are no points')
  return point
}

export function planOf(seed: number, round: number): Plan {
  const roll = dice(seed * 7_919 + round)
  // The first numbers of neighbouring seeds are neighbours.
  for (let skipped = 0; skipped < 4; skipped += 1) roll(2)
  const { name, side } = pointOf(round)
  const { endings, times } = ways[name]
  const ending = endings[roll(endings.length)] ?? 'itself'
  // One in four that are to be cancelled ends by itself about then.
  const isClose = roll(4) === 0
  const runMs = ending === 'itself' || isClose ? 200 + 100 * roll(10) : 6_000
  return {
    round,
    word: `word-of-${seed}-${round}-`,
    point: name,
    side,
    times: 1 + roll(times),
    ending,
    runMs,
    cancelAfterMs: roll(isClose ? 1_200 : 500),
    cancelWaits: roll(2) === 0,
    deadMs: roll(3) === 0 ? roll(600) : 0,
    graceSeconds: roll(3) === 0 ? 1 : 0,
  }
}
