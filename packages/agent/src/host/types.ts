// What the rest of the agent may know of how the host runs an action and takes it back. Data and obligations only.

/** How strong an end is: `stopped` is proven by the kernel, `swept` is the best that can be said without cgroup v2. */
export type ScopeProof = 'stopped' | 'swept'

/** A command to run inside a scope. */
export interface Launch {
  /**
   * The program and its arguments: interpreter, its optional argument, script path, script arguments. The program is a
   * path, never searched for in PATH; a relative one counts from `cwd`, as the kernel has it for a first line.
   */
  readonly command: readonly string[]
  /**
   * An existing folder, absolute. `stdout` and `stderr` are appended to there (O_APPEND, so that they may be truncated
   * meanwhile), and `exit` appears whole once the command has ended.
   */
  readonly folder: string
  /** Where the command starts; must exist. */
  readonly cwd: string
  /**
   * The command's whole environment: nothing is inherited from the agent. Only the action's mark is added. Names must be
   * shell identifiers, since the shell in between would drop any other; what it keeps for itself (IFS, OPTIND, PPID) it
   * may set anew.
   */
  readonly env: Readonly<Record<string, string>>
}

/** A process that was found, for people to read. */
export interface Found {
  readonly pid: number
  /** The command line, blanks between its arguments, shortened; `[name]` where the process shows none. */
  readonly command: string
}

/** How a scope ended. */
export interface Ended {
  readonly proof: ScopeProof
  /** What was in the scope when it was frozen, the wrapper included. A list has at most 1,000; all were killed. */
  readonly killed: readonly Found[]
  /** What had left the scope, and carried its mark or descended from it: killed as well, to be listed as residue. */
  readonly strays: readonly Found[]
}

/**
 * Where actions run, so that all of what they started can be stopped, and shown to be gone. What an action has others start for
 * it (a service manager, cron, a container engine) is theirs, and no part of this.
 */
export interface Scopes {
  /** The proof that this host can give for a scope made now. */
  readonly proof: ScopeProof
  /** One plain sentence for the start-up lines: which mechanism, and where. */
  readonly description: string

  /**
   * Makes the scope of an action and returns its path, to be journalled *before* the start file. Safe to call again
   * until the start, never after: a scope that was removed stays removed. Throws for an id that is no UUID.
   */
  make(actionId: string): Promise<string>

  /**
   * Starts a command inside an existing scope, from its first instruction, in a session of its own. It survives the
   * agent and has no open file in common with it. Resolves when the wrapper is inside and about to run the command.
   * Throws `ScopeGone` if the scope is gone or ends meanwhile, another error if the start failed; in either case the
   * command has not run and will not. Gives up after 10 s.
   */
  start(scope: string, launch: Launch): Promise<void>

  /**
   * Resolves with the exit status (0–255, 128 + n for signal n) as soon as it is on disk, whatever the command may have
   * left running, or with null when nothing is left in the scope and no status was written. So it must not be asked
   * before `start` has resolved. Works for a scope that an earlier agent started. An aborted signal rejects with its
   * reason and changes nothing.
   */
  ended(scope: string, folder: string, signal: AbortSignal): Promise<number | null>

  /**
   * Freezes everything in the scope: when it resolves, nothing in it executes any more. What sleeps uninterruptibly
   * (it does not execute either) is not waited for longer than a second. A scope that is gone is no error.
   */
  freeze(scope: string): Promise<void>

  /**
   * Sends SIGTERM to everything in a frozen scope and lets it go on. Resolves when nothing of it is left, or the time is over.
   * Rejects when the agent leaves: what was asked goes on without it.
   */
  ask(scope: string, time: { readonly withinMs: number; readonly leaving: AbortSignal }): Promise<void>

  /** The exit status in a launch folder, or null if there is none (yet). */
  exitStatus(folder: string): Promise<number | null>

  /**
   * Freezes, kills, waits until the scope is empty, removes it, and sweeps for what had left it. Safe to call again,
   * also at the same time, and when the scope is gone. Throws `Unkillable` when something is left after `patienceMs`
   * (30,000 by default): call it again, and claim nothing. What earlier calls found is told by the one that succeeds.
   * `keep` leaves the emptied scope there, for another start in it.
   */
  end(
    scope: string,
    actionId: string,
    options?: { readonly patienceMs?: number; readonly keep?: boolean },
  ): Promise<Ended>

  /**
   * Why what runs in the scope is not to be stopped now, in plain words: it would leave this host worse off than its end does. Null,
   * and left out, where everything can be stopped.
   */
  unstoppable?(scope: string): string | null

  /** Is anything alive in the scope now? Zombies are not. */
  isAlive(scope: string): Promise<boolean>
}

/** The scope was removed, or ended during the start: nothing has run in it, and nothing will. */
export class ScopeGone extends Error {
  override readonly name = 'ScopeGone'
  readonly scope: string

  constructor(scope: string) {
    super(`The scope ${scope} is gone, so nothing was started in it.`)
    this.scope = scope
  }
}

/** Something in the scope, or strayed from it, could not be killed yet. */
export class Unkillable extends Error {
  override readonly name = 'Unkillable'
  /** What was still there, as far as it could be listed. */
  readonly left: readonly Found[]

  constructor(scope: string, left: readonly Found[]) {
    const names = left.slice(0, 5).map(({ pid, command }) => `${pid} ${command}`)
    super(`Not everything in ${scope} could be killed yet; left: ${names.join('; ') || 'not known'}.`)
    this.left = left
  }
}
