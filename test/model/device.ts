/** A device whose agent starts, dies and starts again on one disk and one machine. The agent is the real one, whole. */
import { runAgent } from '../../packages/agent/src/agent.ts'
import type { Host } from '../../packages/agent/src/host/host.ts'

export const dataFolder = '/data'

export interface DeviceParts {
  readonly host: () => Host
  readonly log: (line: string) => void
  /** Takes away what an agent has under way when it dies. */
  readonly died: () => void
  /** An agent that ended without being asked to. */
  readonly failed: (why: unknown) => void
}

export class Device {
  /** How many agents there have been. */
  lives = 0
  isUp = false
  private leaving = new AbortController()
  private readonly parts: DeviceParts

  constructor(parts: DeviceParts) {
    this.parts = parts
  }

  start(): boolean {
    if (this.isUp) return false
    this.isUp = true
    this.lives += 1
    const life = this.lives
    this.leaving = new AbortController()
    const { signal } = this.leaving
    const over = (thrown?: unknown): void => {
      if (life !== this.lives || !this.isUp) return
      this.isUp = false
      this.parts.died()
      if (!signal.aborted) this.parts.failed(thrown)
    }
    const nothing = { server: null, enrolmentToken: null, enrolAgain: false, switchedOff: [], log: this.parts.log }
    runAgent({ dataFolder, host: this.parts.host(), ...nothing }, signal).then(over, over)
    return true
  }

  /** It is told to leave, and takes the time that it needs. */
  leave(): boolean {
    if (!this.isUp || this.leaving.signal.aborted) return false
    this.leaving.abort()
    return true
  }

  get isLeaving(): boolean {
    return this.isUp && this.leaving.signal.aborted
  }

  /** It dies where it stands. */
  kill(): boolean {
    if (!this.isUp) return false
    this.isUp = false
    this.parts.died()
    return true
  }
}
