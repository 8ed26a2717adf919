/** Execution control of a host that only remembers. It outlives the agents that use it. */
import type { ExecutionControl, Obstacle } from '../host/execution/types.ts'

export class FakeExecution implements ExecutionControl {
  /** What the host has. */
  isRestricted = false
  inTheWay: Obstacle | null = null
  /** How often an apply will fail from now on; of these alone, where it says which. */
  failing = 0
  fails: (isRestricted: boolean) => boolean = () => true
  /** What was applied, in order. */
  readonly applied: boolean[] = []
  /** Of those that prepare, each until its signal. */
  preparing = 0
  /** Called at the beginning of each, for a test to step in. */
  before: (isRestricted: boolean) => Promise<void> | void = () => undefined
  private readonly watchers = new Set<() => void>()

  get watching(): number {
    return this.watchers.size
  }

  obstacle(): Promise<Obstacle | null> {
    return Promise.resolve(this.inTheWay)
  }

  prepare(signal: AbortSignal): void {
    if (signal.aborted) return
    this.preparing += 1
    signal.addEventListener('abort', () => void (this.preparing -= 1), { once: true })
  }

  async apply(isRestricted: boolean): Promise<void> {
    await this.before(isRestricted)
    if (isRestricted && this.inTheWay !== null) throw new Error(this.inTheWay.detail)
    if (this.failing > 0 && this.fails(isRestricted)) {
      this.failing -= 1
      throw new Error('the daemon says no')
    }
    this.applied.push(isRestricted)
    this.isRestricted = isRestricted
    this.changed()
  }

  difference(isRestricted: boolean): Promise<string | null> {
    if (this.isRestricted === isRestricted) return Promise.resolve(null)
    return Promise.resolve(this.isRestricted ? 'the daemon runs' : 'the daemon is gone')
  }

  watch(changed: () => void): () => void {
    this.watchers.add(changed)
    return () => void this.watchers.delete(changed)
  }

  /** Somebody ends the daemon. */
  kill(): void {
    this.isRestricted = false
    this.changed()
  }

  private changed(): void {
    for (const look of this.watchers) look()
  }
}
