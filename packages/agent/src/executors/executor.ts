import type { CommandOutcome, Offer } from '@countermand/contract'
import type { Host } from '../host/host.ts'

/** One step of an action being carried out. */
export interface Run {
  readonly offer: Offer
  /** Which step it is. */
  readonly index: number
  readonly host: Host
  readonly agentVersion: string
  /** The action's own folder, for as long as it is held. */
  readonly folder: string
  /** When it was begun; empty before that. */
  readonly startedAt: string
  /** Where what this action starts runs. */
  readonly scope: string
  /** Where this step's program writes its output and exit status. */
  readonly programFolder: string
  /** Ends the step: a cancel, its limit, or the agent leaves. Whatever was begun may be begun anew by the next agent. */
  readonly signal: AbortSignal
  /**
   * Brings a file that the action refers to into the action's folder, once: what is there with the right hash is not
   * fetched again. Throws `CannotBeDone` when the server does not have it, or what it has is not what was pinned.
   */
  fetch(file: { readonly sha256: string; readonly size: number; readonly name: string }): Promise<string>
  /**
   * Brings this step's result to the server, again and again until it has it. `content` is asked for anew where it must begin
   * from its beginning. Throws `CannotBeDone` when it is refused, or the time to settle is over.
   */
  deliver(content: () => AsyncIterable<Uint8Array>): Promise<{ sha256: string; size: number }>
  /** Says how far it is: a share from 0 to 1 where it is known, and what it is busy with. */
  look(share: number | null, line: string | null): void
  /** What this step will have to take back, on disk before it acts. */
  promise(what: object): Promise<void>
  promised<Promised extends object>(): Promise<Promised | null>
  /** A moment at which an agent may die. */
  moment(name: 'processes-frozen' | 'processes-killed'): void
  /** Resolves once a reply lets this action go on whose statement was sent after this call. Throws as `signal` does, or `CannotBeDone`. */
  askLeave(): Promise<void>
  /** Of an offboarding. */
  readonly departure: Departure
}

/** What an offboarding asks of the agent itself. */
export interface Departure {
  /** Resolves once nothing else runs; nothing else is begun from the call on, until `stay`. */
  alone(signal: AbortSignal): Promise<void>
  /** Nothing stands on this host when it resolves, and nothing is made to until `stay`. Safe to call twice. */
  takeOff(): Promise<void>
  /** The point from which there is no way back, on disk when it resolves. False where a cancel was there first. */
  commit(): Promise<boolean>
  isCommitted(): Promise<boolean>
  /** What stood is to be put back by nobody: not by a later agent, nor at the next boot. */
  forget(): Promise<void>
  /** The host stands as it did, read back, and others may begin. True where something had been taken off. Safe to call twice. */
  stay(): Promise<boolean>
}

/** An order that cannot be carried out, in words for whoever gave it. */
export class CannotBeDone extends Error {
  override readonly name = 'CannotBeDone'
}

/** What has to be done, and cannot be now: the action is taken up again from the journal. */
export class NotYet extends Error {
  override readonly name = 'NotYet'

  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

/** What the host says in plain words is an answer to whoever gave the order. */
export function cannotBeDone(thrown: unknown): never {
  throw new CannotBeDone(thrown instanceof Error ? thrown.message : String(thrown))
}

/** How the program of a step ended, by itself. */
export interface Body {
  /** Exit status; null when it ended without one. */
  readonly status: number | null
  readonly leftRunning: readonly { readonly pid: number; readonly command: string }[]
  /** True where the step's limit ended it. */
  readonly overran: boolean
}

/** How a step went. */
export interface Found extends Pick<CommandOutcome, 'errors' | 'result' | 'findings' | 'quarantined'> {
  readonly failed: boolean
  /** Its limit ended it, and it has more to tell than that. */
  readonly overran?: boolean
}

/** What was taken back. */
export interface Undone {
  /** False where there was nothing to take back. */
  readonly isChanged: boolean
  /** What remains, in words. */
  readonly residues: readonly string[]
  /** What stands of it now, where it is about a file; what was killed stays so. */
  readonly quarantined?: CommandOutcome['quarantined']
}

/**
 * One step of an action. The runner owns everything that is the same for all: the journal, the permission to begin, the scope, the
 * cancel and its proof, the limit. So a step has no stop of its own but the signal in its run.
 */
export interface Step {
  /** How long it may take once it has begun, in milliseconds. */
  readonly limitMs: number
  /**
   * Who does the work. `program`: one in the action's scope, and what `conclude` does is only to tell of it, which no cancel of a
   * last step interrupts. `agent`: `conclude` does it. `both`: one after the other, and the work is over after the second.
   */
  readonly work: 'program' | 'agent' | 'both'
  /** Everything that can be done before it begins. Touches nothing but the action's folder. What is to be started, if anything. */
  prepare(run: Run): Promise<Prepared | null>
  /** Called while its program runs, every half second: keeps its output within bounds, and says how far it is. */
  tend(run: Run): Promise<void>
  /** The rest after its program (null for a step without one). */
  conclude(run: Run, body: Body | null): Promise<Found>
  /** Takes back what it did. Safe to call twice, and where it did nothing. */
  undo(run: Run): Promise<Undone>
}

/** What a type of action does on a host: its steps, one after the other; one that fails is the last. */
export type Executor = (offer: Offer) => readonly Step[]

/** What the runner starts in the scope. */
export interface Prepared {
  readonly command: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}
