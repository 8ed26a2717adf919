/** Listens for *sync now*. It may miss one; the heartbeat's work counter tells. */
import { setTimeout as pause } from 'node:timers/promises'
import { devicePaths, heartbeatMs } from '@countermand/contract'
import { ofItsOwn } from './connection.ts'

export interface WakeOptions {
  readonly server: string
  /** The ticket of the latest reply. */
  readonly ticket: () => string | null
  /** How much of the server's work this device has seen. */
  readonly seen: () => number
  readonly wake: () => void
  /** The stream lives, or has ended: an idle device syncs less often while it does. */
  readonly listening: (isListening: boolean) => void
  readonly signal: AbortSignal
}

const longestPauseMs = 30_000
/** Three heartbeats missed: the stream is dead, whatever the connection says. */
const silentMs = 3 * heartbeatMs

/** Runs until the signal. Connects again with back-off and jitter. */
export async function listen(options: WakeOptions): Promise<void> {
  const { signal } = options
  let failures = 0
  while (!signal.aborted) {
    const ticket = options.ticket()
    const lived = ticket === null ? false : await stream(options, ticket).catch(() => false)
    options.listening(false)
    failures = lived ? 0 : failures + 1
    const pauseMs = Math.min(250 * 2 ** failures, longestPauseMs) * (0.5 + Math.random() / 2)
    await pause(pauseMs, undefined, { signal }).catch(() => undefined)
  }
}

/** One connection; true if it ever said anything. */
async function stream(options: WakeOptions, ticket: string): Promise<boolean> {
  const dead = new AbortController()
  const signal = AbortSignal.any([options.signal, dead.signal])
  let timer = setTimeout(() => dead.abort(), silentMs)
  let lived = false
  try {
    const headers = { authorization: `Bearer ${ticket}`, accept: 'text/event-stream', ...ofItsOwn }
    const response = await fetch(options.server + devicePaths.wake, { headers, signal })
    // A ticket that is over is renewed by any sync.
    if (response.status === 401) options.wake()
    if (!response.ok || response.body === null) return false
    options.listening(true)
    let rest = ''
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      clearTimeout(timer)
      timer = setTimeout(() => dead.abort(), silentMs)
      lived = true
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) hear(options, line)
    }
  } catch {
    // A connection that broke is made again; there is nothing else to do about it.
  } finally {
    clearTimeout(timer)
  }
  return lived
}

function hear({ wake, seen }: WakeOptions, line: string): void {
  if (line === 'event: wake') wake()
  const work = /^data: (\d+)$/.exec(line)?.[1]
  // Less than was seen is news too: of a server that was put back from a backup.
  if (work !== undefined && Number(work) !== seen()) wake()
}
