/** A firewall over a kernel that only remembers. It outlives the agents that use it. */
import { isDeepStrictEqual } from 'node:util'
import type { Barrier, Firewall } from '../host/firewall/types.ts'

export class FakeFirewall implements Firewall {
  /** What the kernel has. */
  kernel: Barrier | null = null
  missing: string | null = null
  /** How often an apply will fail from now on; of these alone, where it says which. */
  failing = 0
  fails: (barrier: Barrier | null) => boolean = () => true
  /** What was applied, in order. */
  readonly applied: (Barrier | null)[] = []
  /** Called at the beginning of each, for a test to step in. */
  before: (barrier: Barrier | null) => Promise<void> | void = () => undefined
  private readonly watchers = new Set<() => void>()

  get watching(): number {
    return this.watchers.size
  }

  lack(): Promise<string | null> {
    return Promise.resolve(this.missing)
  }

  async apply(barrier: Barrier | null): Promise<void> {
    await this.before(barrier)
    if (this.missing !== null) throw new Error(`nft is missing: ${this.missing}`)
    if (this.failing > 0 && this.fails(barrier)) {
      this.failing -= 1
      throw new Error('the kernel says no')
    }
    this.applied.push(barrier)
    this.kernel = barrier
    this.changed()
  }

  difference(barrier: Barrier | null): Promise<string | null> {
    if (isDeepStrictEqual(this.kernel, barrier)) return Promise.resolve(null)
    return Promise.resolve(this.kernel === null ? 'the table is gone' : 'the table is another')
  }

  watch(changed: () => void): () => void {
    this.watchers.add(changed)
    return () => void this.watchers.delete(changed)
  }

  /** Somebody takes everything away. */
  flush(): void {
    this.kernel = null
    this.changed()
  }

  private changed(): void {
    for (const look of this.watchers) look()
  }
}
