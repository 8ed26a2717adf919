/** The server's live stream of events, from now on, for as long as the rehearsal lasts. */
import { setTimeout as pause } from 'node:timers/promises'
import type { LiveEvent } from '../packages/contract/src/index.ts'
import type { Api } from './api.ts'

const againAfterMs = 500

/** Goes on where it was broken off. Resolves with the signal. */
export async function follow(
  api: Api,
  heard: (event: LiveEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  let after = ''
  while (!signal.aborted) {
    const query = after === '' ? '' : `?after=${encodeURIComponent(after)}`
    try {
      const response = await api.open(`/api/countermand/events${query}`, signal)
      if (response.ok && response.body !== null)
        for await (const { id, data } of eventsOf(response.body)) {
          if (id !== null) after = id
          if (data !== null) heard(data)
        }
    } catch {
      // It is asked for again, whatever it was.
    }
    await pause(againAfterMs, undefined, { signal }).catch(() => undefined)
  }
}

async function* eventsOf(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncIterable<{ readonly id: string | null; readonly data: LiveEvent | null }> {
  let rest = ''
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + chunk).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const id = /^id: ?(.*)$/m.exec(block)?.[1] ?? null
      const text = /^data: ?(.*)$/m.exec(block)?.[1]
      yield { id, data: text === undefined ? null : eventIn(text) }
    }
  }
}

/** A heartbeat has other data than an event. */
function eventIn(text: string): LiveEvent | null {
  const data: LiveEvent | null = JSON.parse(text)
  return typeof data === 'object' && data !== null && 'kind' in data ? data : null
}
