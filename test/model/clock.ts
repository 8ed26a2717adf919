/** Time stands still until the script lets it pass. What has become due by then is due at once, as after a sleep. */
import { settled } from './turns.ts'

interface Timer {
  readonly id: number
  readonly due: number
  readonly everyMs: number | null
  readonly fire: () => void
}

const start = Date.parse('2026-02-03T04:05:06Z')

export class Clock {
  /** Milliseconds of the world's time. */
  now = start
  /** What takes the place of the runtime's own. */
  readonly Date = dateOf(this)
  private bootedAt = start - 1_000_000
  private timers: Timer[] = []
  private last = 0

  /** Seconds in which somebody was awake: longer passings are taken for sleep. */
  ticks = 1_000
  /** Of the device, its sleep counted. */
  bootSeconds(): number {
    return (this.now - this.bootedAt) / 1_000
  }

  /** Another time up: timers of before are gone with their programs. */
  boot(): void {
    this.bootedAt = this.now - 10_000
    this.dropTimers()
  }

  dropTimers(): void {
    this.timers = []
  }

  set(ms: number, fire: () => void, repeat = false): number {
    this.last += 1
    const timer = { id: this.last, due: this.now + Math.max(ms, 1), fire, everyMs: repeat ? ms : null }
    this.timers.push(timer)
    return timer.id
  }

  clear(id: number): void {
    this.timers = this.timers.filter((timer) => timer.id !== id)
  }

  /** A repeating timer comes once, however long it was. */
  async pass(ms: number): Promise<void> {
    this.now += ms
    if (ms < 10_000) this.ticks += ms / 1_000
    const due = this.timers.filter((timer) => timer.due <= this.now).toSorted((a, b) => a.due - b.due)
    for (const timer of due) {
      if (!this.timers.includes(timer)) continue
      this.clear(timer.id)
      if (timer.everyMs !== null) this.timers.push({ ...timer, due: this.now + timer.everyMs })
      timer.fire()
      await settled()
    }
  }
}

function dateOf(clock: { readonly now: number }): DateConstructor {
  const construct = (of: DateConstructor, given: readonly unknown[]): Date =>
    Reflect.construct(of, given.length === 0 ? [clock.now] : given) as Date
  return new Proxy(Date, {
    construct,
    get: (of, key) => (key === 'now' ? () => clock.now : (Reflect.get(of, key) as unknown)),
  })
}
