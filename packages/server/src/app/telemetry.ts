/** The ports of those who watch. Nothing waits for them, and nothing they do can fail a request. */
import type { ActionType, LimitClass, Phase } from '@countermand/contract'

/** Counts what happens and answers for it. Labels are words of ours only: never a name, an id, or what a caller wrote. */
export interface Meter {
  answered(request: Answered): void
  /** A call came to its limit. */
  limited(limit: LimitClass | 'sessions'): void
  synced(result: SyncResult): void
  /** A device listens; the returned function says that it no longer does. */
  connected(machineId: string): () => void
  /** All of it, in the text format of Prometheus. */
  expose(): Promise<Exposition>
}

export interface Answered {
  /** The operation's name, or the route's pattern where it has none. */
  readonly operation: string
  readonly status: number
  readonly tookMs: number
}

/** `taken`: it was answered, old news included. `conflict`: the device has two histories. */
export type SyncResult = 'taken' | 'conflict' | 'refused' | 'failed'

export interface Exposition {
  readonly contentType: string
  readonly text: string
}

export interface Tracer {
  /** Begins a span below `parent`, a W3C traceparent; what is none begins a trace of its own. */
  start(kind: 'server' | 'internal', name: string, parent: string | null): Span
}

export interface Span {
  /** W3C traceparent: for what goes on elsewhere, or later. */
  readonly traceparent: string
  end(attributes: Readonly<Record<string, string | number>>, isFault?: boolean): void
}

/** How many actions there are in a stretch of all of them; they have numbers in order of arrival. */
export interface Counted {
  readonly counts: readonly ActionCount[]
  /** When the youngest of them was asked; null where there are none. */
  readonly youngest: Date | null
  /** The last number that there is, in this stretch or after it; 0 for none. */
  readonly last: number
}

export interface ActionCount {
  readonly type: ActionType
  readonly phase: Phase
  readonly count: number
}
