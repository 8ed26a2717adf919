/**
 * Everything that takes time in a simulated device takes a turn: a system call, a step of a scope, a transfer. The script of
 * the run says how many turns are taken and in which order, so that a run is the same each time, and can stop between any two.
 */

/** Who dies with it: the agent's own turns end with the agent, the machine's only with the machine. */
type Owner = 'agent' | 'machine'

interface Turn {
  readonly owner: Owner
  readonly label: string
  readonly isReady: () => boolean
  readonly take: () => void
}

/** Of so many turns that could be next, which one. */
export type Pick = (of: number) => number

/** More turns than this without an end is an agent that goes round in circles. */
const endless = 20_000

// Before anything is simulated: every microtask is over when it comes round.
const { setImmediate: nextRound } = globalThis
export const settled = (): Promise<void> => new Promise((resolve) => void nextRound(resolve))

export class Turns {
  /** How many were taken, for the closing line. */
  taken = 0
  /** What was done, in order: two runs of one script have the same. */
  readonly labels: string[] = []
  private waiting: Turn[] = []

  /** Waits for its turn, then acts, at one instant. */
  async take<T>(label: string, act: () => T, owner: Owner = 'agent'): Promise<T> {
    return this.when(label, () => true, act, owner)
  }

  /** As `take`, but not before it is ready. */
  when<T>(label: string, isReady: () => boolean, act: () => T, owner: Owner = 'agent'): Promise<T> {
    return new Promise((resolve, reject) => {
      const take = (): void => {
        try {
          resolve(act())
        } catch (thrown) {
          reject(thrown)
        }
      }
      this.waiting.push({ owner, label, isReady, take })
    })
  }

  /** Up to `most` turns, each to the end of what follows at once. True when nothing was left that could be done. */
  async play(most: number, pick: Pick): Promise<boolean> {
    await settled()
    for (let played = 0; played < most; played += 1) {
      const ready = this.waiting.filter(({ isReady }) => isReady())
      const next = ready[ready.length === 0 ? 0 : pick(ready.length) % ready.length]
      if (next === undefined) return true
      if (played > endless)
        throw new Error(`The device goes round in circles: ${this.labels.slice(-20).join(', ')}`)
      this.waiting = this.waiting.filter((turn) => turn !== next)
      this.taken += 1
      this.labels.push(next.label)
      next.take()
      await settled()
    }
    return false
  }

  /** What was under way is not done any more, and nobody hears of it. */
  drop(owner: Owner): void {
    this.waiting = this.waiting.filter((turn) => turn.owner !== owner)
  }
}
