/**
 * A server that was put back from a backup has forgotten things that devices remember. It says so itself (`server.restored`); but
 * so could somebody who has cut the history off, so its word counts only for whoever knows that it is true (`--restored`).
 */
import { serverChain } from '../core/chain.ts'
import { isObject, parsed } from './fault.ts'
import type { Snapshot } from './snapshot.ts'

interface Restore {
  readonly at: number
  readonly epoch: unknown
}

export class Restores {
  readonly list: readonly Restore[]
  /** Somebody vouches for them. */
  readonly areTrue: boolean

  private constructor(list: readonly Restore[], areTrue: boolean) {
    this.list = list
    this.areTrue = areTrue
  }

  static async in(snapshot: Snapshot, areTrue: boolean): Promise<Restores> {
    const rows = await snapshot.findEvents(serverChain, 'server.restored')
    const list = rows.map(({ at, data }) => ({
      at,
      epoch: parsed(data, isObject, 'events: a restore').epoch,
    }))
    return new Restores(list, areTrue)
  }

  /** At this moment the server was put back, and did what it does then. */
  isOne(at: number): boolean {
    return this.list.some((restore) => restore.at === at)
  }

  /** Was this heard from a device that knew only the server from before, whose head it reports? */
  explainHead(epoch: string | null, at: number): boolean {
    const last = this.list.findLast((restore) => restore.at <= at)
    return this.areTrue && epoch !== null && last !== undefined && last.epoch !== epoch
  }

  /** May something be missing between these moments because it was forgotten? */
  explainGap(from: number, to: number): boolean {
    return this.areTrue && this.list.some(({ at }) => at >= from && at <= to)
  }
}
