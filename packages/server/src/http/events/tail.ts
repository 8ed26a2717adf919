/**
 * Tells those who listen what is committed. What is new is read once for all of them; who is behind, or reads slowly, reads on alone.
 * Nobody is waited for, and no writer knows of it.
 */
import type { ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type { LiveEvent } from '@countermand/contract'
import type { App } from '../../app/ports.ts'
import type { TailedEvent } from '../../app/rows.ts'
import { eventsAfter, lastPlace } from '../../app/read-events.ts'
import { serverChain } from '../../core/chain.ts'
import { isWanted, type EventFilter } from '../../core/event-filter.ts'
import { timestamp } from '../wire.ts'

/** Commits that come together are read together. */
const gatherMs = 50
/** What another node commits is not told here, and what came after a gap waits: so it is looked for all the same. */
const lookMs = 1_000
/** A reader with more than this unread, in bytes, reads on alone. */
const mostUnread = 256 * 1024

export interface Listener {
  readonly response: ServerResponse
  readonly filter: EventFilter
  /** The last that it was told of. */
  place: number
}

export interface Tail {
  /** Tells it everything from its place on, until its response is closed. */
  join(listener: Listener): Promise<void>
  close(): void
}

export function openTail(app: App, failed: (thrown: unknown) => void): Tail {
  const readers = new Readers(app, failed)
  const stopListening = app.bus.onCommit(() => readers.soon())
  const looking = setInterval(() => readers.soon(), lookMs)
  return {
    join: (listener) => readers.join(listener),
    close: () => {
      stopListening()
      clearInterval(looking)
      readers.close()
    },
  }
}

class Readers {
  private readonly app: App
  private readonly failed: (thrown: unknown) => void
  private readonly all = new Set<Listener>()
  /** Those that have been told all there was. */
  private readonly live = new Set<Listener>()
  /** What these have been told of; null before anybody came. */
  private place: number | null = null
  private timer: NodeJS.Timeout | null = null
  private isReading = false

  constructor(app: App, failed: (thrown: unknown) => void) {
    this.app = app
    this.failed = failed
  }

  soon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = null
      if (this.live.size > 0) void this.read().catch(this.failed)
    }, gatherMs)
  }

  async join(listener: Listener): Promise<void> {
    this.all.add(listener)
    listener.response.once('close', () => {
      this.all.delete(listener)
      this.live.delete(listener)
    })
    await this.catchUp(listener)
  }

  close(): void {
    clearTimeout(this.timer ?? undefined)
    for (const { response } of this.all) response.end()
  }

  private async read(): Promise<void> {
    if (this.isReading) return this.soon()
    this.isReading = true
    try {
      while (this.place !== null) {
        const events = await eventsAfter(this.app, this.place)
        const last = events.at(-1)
        if (last === undefined) return
        this.place = last.n
        for (const listener of this.live) if (!tell(listener, events)) this.alone(listener)
      }
    } finally {
      this.isReading = false
    }
  }

  /** Reads for one listener until it has come up with the others. */
  private async catchUp(listener: Listener): Promise<void> {
    while (!listener.response.writableEnded && !listener.response.destroyed) {
      if (this.place === null || this.live.size === 0) this.place = await lastPlace(this.app)
      if (listener.place >= this.place) return void this.live.add(listener)
      const events = await eventsAfter(this.app, listener.place)
      // Others began behind a gap that may still be filled.
      if (events.length === 0) await pause(gatherMs)
      else if (!tell(listener, events)) await drained(listener.response)
    }
  }

  private alone(listener: Listener): void {
    this.live.delete(listener)
    void drained(listener.response)
      .then(() => this.catchUp(listener))
      .catch(this.failed)
  }
}

/** False where it has more unread than it should. */
function tell(listener: Listener, events: readonly TailedEvent[]): boolean {
  const news = events.filter((event) => event.n > listener.place && isWanted(listener.filter, event))
  listener.place = Math.max(listener.place, events.at(-1)?.n ?? 0)
  if (news.length > 0) listener.response.write(news.map(textOf).join(''))
  return listener.response.writableLength <= mostUnread
}

/** One event as it stands in the stream. Its place goes back with `Last-Event-ID`. */
export const textOf = (event: TailedEvent): string =>
  `id: ${event.n}\nevent: ${event.kind}\ndata: ${JSON.stringify(toLiveEvent(event))}\n\n`

const toLiveEvent = (event: TailedEvent): LiveEvent => ({
  kind: event.kind,
  at: timestamp(event.at),
  machineId: event.chain === serverChain ? null : event.chain,
  actionId: event.actionId,
  actor: event.actor,
  alarm: event.alarm,
  sequence: event.sequence,
  digest: event.digest,
  data: event.data,
})

const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    if (response.destroyed || response.writableLength === 0) return resolve()
    response.once('drain', resolve)
    response.once('close', resolve)
  })
