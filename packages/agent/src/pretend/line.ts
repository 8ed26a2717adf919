/**
 * The line of one pretended device to its server: it can be cut and mended, and can lose what goes over it. Many devices share a
 * process, and each says its words by the one `fetch` that there is: which line that is, its own flow of control tells.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import type { Dice } from './dice.ts'

type Fetch = typeof globalThis.fetch

export interface Asked {
  readonly path: string
  readonly body: unknown
}

export interface LineParts {
  readonly dice: Dice
  /** An answer has come: what the device is to hear of it. Throws where it is to be lost on its way. */
  readonly heard: (asked: Asked, response: Response) => Promise<Response>
}

const ways = new AsyncLocalStorage<Line>()
/** A line that is down says so after a moment, as a router would. */
const noticedAfterMs = 20

export class Line {
  /** Share of what is lost, each way. */
  loss = 0
  private down: AbortController | null = null
  /** Milliseconds since 1970. */
  private downUntil = 0
  private up = new AbortController()
  private mending: NodeJS.Timeout | null = null
  private readonly parts: LineParts

  constructor(parts: LineParts) {
    this.parts = parts
  }

  get isUp(): boolean {
    return this.down === null
  }

  /** Everything that goes over it breaks off. `ms`: when it is mended by itself; infinite for never. */
  cut(ms: number): void {
    const until = Date.now() + ms
    // One that is cut for longer stays so.
    if (this.down !== null && until <= this.downUntil) return
    this.downUntil = until
    clearTimeout(this.mending ?? undefined)
    this.mending = null
    if (this.down === null) {
      this.down = new AbortController()
      this.up.abort()
    }
    if (ms !== Infinity) this.mending = setTimeout(() => this.mend(), ms)
  }

  mend(): void {
    if (this.down === null) return
    clearTimeout(this.mending ?? undefined)
    this.mending = null
    this.down.abort()
    this.down = null
    this.up = new AbortController()
  }

  /** Resolves once it can be used, or the signal is aborted. */
  async whenUp(signal: AbortSignal): Promise<void> {
    while (this.down !== null && !signal.aborted) {
      const either = AbortSignal.any([this.down.signal, signal])
      await new Promise<void>((resolve) => {
        if (either.aborted) resolve()
        else either.addEventListener('abort', () => resolve(), { once: true })
      })
    }
  }

  /** What `work` asks anywhere, and whatever comes of it, goes over this line. */
  through<T>(work: () => Promise<T>): Promise<T> {
    return ways.run(this, work)
  }

  async fetch(real: Fetch, ...[asked, init = {}]: Parameters<Fetch>): Promise<Response> {
    const { pathname } = new URL(asked instanceof Request ? asked.url : asked)
    if (!this.isUp || this.parts.dice() < this.loss) await lost()
    const signal = AbortSignal.any([this.up.signal, ...(init.signal ? [init.signal] : [])])
    const response = await real(asked, { ...init, signal })
    if (!this.isUp || this.parts.dice() < this.loss) await lost()
    // What is cut by what was heard is cut behind it.
    return this.parts.heard({ path: pathname, body: init.body }, response)
  }
}

/** As it is to whoever has asked: nothing has come back. */
export async function lost(): Promise<never> {
  await pause(noticedAfterMs)
  const cause = Object.assign(new Error('the network cannot be reached'), { code: 'ENETUNREACH' })
  throw new TypeError('fetch failed', { cause })
}

/** Once for a process: from now on what is asked in the flow of a line goes over it, and the rest as before. */
export function layLines(): void {
  const real = globalThis.fetch
  globalThis.fetch = (...asked) => ways.getStore()?.fetch(real, ...asked) ?? real(...asked)
}
