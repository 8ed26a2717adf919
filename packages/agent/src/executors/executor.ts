import type { CommandOutcome, Offer } from '@countermand/contract'
import type { Host } from '../host/host.ts'

/** One action being carried out. */
export interface Run {
  readonly offer: Offer
  readonly host: Host
  /** The action's own folder, for as long as it is held. */
  readonly folder: string
  /** What ran in the action's scope writes its output and exit status here. */
  readonly scope: string
  /**
   * Brings a file that the action refers to into the action's folder, once: what is there with the right hash is not
   * fetched again. Throws `CannotBeDone` when the server does not have it, or what it has is not what was pinned.
   */
  fetch(file: { readonly sha256: string; readonly size: number; readonly name: string }): Promise<string>
  /** Brings a result to the server, again and again until it has it. Throws when the time to settle is over. */
  deliver(index: number, content: Uint8Array): Promise<{ sha256: string; size: number }>
}

/** Where the commands of an action stand, and what has been found. */
export interface Report {
  readonly outcome: 'succeeded' | 'failed' | 'timed_out'
  readonly detail: string | null
  readonly commands: readonly CommandOutcome[]
}

/** An order that cannot be carried out, in words for whoever gave it. Nothing was started. */
export class CannotBeDone extends Error {
  override readonly name = 'CannotBeDone'
}

/** How the body of an action ended. */
export interface Body {
  /** Exit status; null when it ended without one. */
  readonly status: number | null
  readonly leftRunning: readonly { readonly pid: number; readonly command: string }[]
  /** True where the agent's own limit ended it. */
  readonly overran: boolean
  readonly startedAt: string
  readonly endedAt: string
}

/**
 * What a type of action does on a host. The runner owns everything that is the same for all: the journal, the permission to
 * start, the scope, the cancel and its proof, the limit. So an executor has no stop of its own.
 */
export interface Executor {
  /** Everything that can be done before the start, and again after a restart. Touches nothing but the action's folder. */
  prepare(run: Run): Promise<Prepared>
  /** The commands as they stand once the work has begun. */
  begun(run: Run, startedAt: string): readonly CommandOutcome[]
  /** Called while it runs, every half second: keeps its output within bounds. */
  tend(run: Run): Promise<void>
  /** The body is over by itself or by its limit, and nothing of it is left: result and report. */
  conclude(run: Run, body: Body): Promise<Report>
  /** The commands of an action that was stopped by a cancel, or that could not be begun. */
  stopped(
    run: Run,
    why: string,
    times: { readonly startedAt: string | null; readonly endedAt: string | null },
  ): readonly CommandOutcome[]
}

/** What the runner starts in the scope. */
export interface Prepared {
  readonly command: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}
