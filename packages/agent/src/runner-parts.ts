/** What whoever carries out actions is given, and what stops it. */
import type { Host } from './host/host.ts'
import type { Journal } from './journal.ts'
import type { Departure } from './offboard/departure.ts'
import type { NewsLog } from './news.ts'
import type { Permits } from './permits.ts'
import type { Transfer } from './transfer.ts'

export interface RunnerParts {
  readonly journal: Journal
  readonly news: NewsLog
  readonly host: Host
  readonly transfer: Transfer
  readonly departure: Departure
  /** There is news, or a permission is needed. */
  readonly syncSoon: () => void
  readonly log: (line: string) => void
}

export interface Stops {
  readonly cancelled: AbortSignal
  /** The server has stopped waiting: what has begun goes to its end, and nothing else begins. */
  readonly givenUp: AbortSignal
  readonly leaving: AbortSignal
  readonly permits: Permits
  /** Resolves once nothing runs but this action; throws as the signal does. */
  readonly alone: (signal: AbortSignal) => Promise<void>
}
