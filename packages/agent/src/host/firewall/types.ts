// What the rest of the agent may know of how a host is isolated. Data and obligations only.
import type { Allowed } from '@countermand/contract'

/** An isolation as a host is to have it. */
export interface Barrier {
  readonly generation: number
  /** Where the control server is: all that passes to any host of the network, but for `allow`. */
  readonly server: { readonly addresses: readonly string[]; readonly port: number }
  readonly allow: readonly Allowed[]
}

export interface Firewall {
  /** The line that installs what is missing; null where nothing is. Cheap enough to be asked with every sync. */
  lack(): Promise<string | null>

  /**
   * Makes the host stand so, or free of anything of ours (null), in one transaction; when it resolves, what the kernel has was read
   * back and is just that. Idempotent. Two at the same time, and one that an agent which was killed has left running, come one after
   * the other. Never touches a rule that is not ours. Throws in plain words; what stood before stands then.
   */
  apply(barrier: Barrier | null): Promise<void>

  /** What of it the kernel has otherwise, in plain words; null where it stands as it should. */
  difference(barrier: Barrier | null): Promise<string | null>

  /** Calls whenever rules of this host have changed, whoever changed them; may call for nothing. Ends with the returned function. */
  watch(changed: () => void): () => void
}
