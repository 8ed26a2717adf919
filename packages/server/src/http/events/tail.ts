/**
 * Tells those who listen what is committed. What is new is read once for all of them; who is behind, or reads slowly, reads on alone.
 * Nobody is waited for, and no writer knows of it.
 */
import type { ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type { LiveEvent } from '@countermand/contract'
import type { App, TailedEvent } from '../../app/ports.ts'
import { eventsAfter, lastPlace, mostAtOnce } from '../../app/read-events.ts'
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
  const live = new Set<Listener>()
  let place: number | null = null
  let timer: NodeJS.Timeout | null = null
  let isReading = false

  async function read(): Promise<void> {
    if (isReading) return soon()
    if (place === null) return
    isReading = true
    try {
      for (;;) {
        const events = await eventsAfter(app, place)
        const last = events.at(-1)
        if (last === undefined) return
        place = last.n
        for (const listener of live) if (!tell(listener, events)) alone(listener)
        if (events.length < mostAtOnce) return
      }
    } finally {
      isReading = false
    }
  }
  const soon = (): void => {
    timer ??= setTimeout(() => {
      timer = null
      if (live.size > 0) void read().catch(failed)
    }, gatherMs)
  }
  const stopListening = app.bus.onCommit(soon)
  const looking = setInterval(soon, lookMs)

  /** Reads for one listener until it has come up with the others. */
  async function catchUp(listener: Listener): Promise<void> {
    while (!listener.response.destroyed) {
      if (place === null || live.size === 0) place = await lastPlace(app)
      if (listener.place >= place) return void live.add(listener)
      const events = await eventsAfter(app, listener.place)
      const last = events.at(-1)
      // Others began behind a gap that may still be filled.
      if (last === undefined) await pause(gatherMs)
      else if (!tell(listener, events)) await drained(listener.response)
    }
  }
  function alone(listener: Listener): void {
    live.delete(listener)
    void drained(listener.response)
      .then(() => catchUp(listener))
      .catch(failed)
  }
  return {
    join: async (listener) => {
      listener.response.once('close', () => live.delete(listener))
      await catchUp(listener)
    },
    close: () => {
      stopListening()
      clearInterval(looking)
      clearTimeout(timer ?? undefined)
      for (const { response } of live) response.end()
    },
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
