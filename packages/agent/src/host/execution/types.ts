// What the rest of the agent may know of how starting programs is restricted on a host. Obligations only.

/** Why a host cannot be restricted, in plain words; `detail` of a missing tool is the line that installs it. */
export interface Obstacle {
  readonly why: 'missing_tool' | 'in_use' | 'platform'
  readonly detail: string
}

export interface ExecutionControl {
  /** Null where this host can be restricted. Cheap enough to be asked with every sync. */
  obstacle(): Promise<Obstacle | null>

  /**
   * Works out ahead what this host's packages have installed, and keeps that fresh as packages change, so that a restriction stands
   * within a second of its order. Costs seconds of one core once; goes on in the background until `signal`. Never rejects.
   */
  prepare(signal: AbortSignal): void

  /**
   * Makes the host stand restricted (true) or free of anything of ours (false); when it resolves that was looked at and is so.
   * Idempotent. Two at the same time, and one that an agent which was killed has left running, come one after the other. Never
   * touches what is not ours. Throws in plain words; a restriction that stood as it should, stands then.
   */
  apply(isRestricted: boolean): Promise<void>

  /** What of it is otherwise, in plain words; null where it stands as it should. */
  difference(isRestricted: boolean): Promise<string | null>

  /** Calls whenever what restricts this host may have changed (its daemon died); may call for nothing. Ends with the returned function. */
  watch(changed: () => void): () => void
}
