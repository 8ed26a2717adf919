/** A device whose agent starts, dies and starts again on one disk and one machine. The agent is the real one, whole. */
import { runAgent } from '../../packages/agent/src/agent.ts'
import type { Host } from '../../packages/agent/src/host/host.ts'

export const dataFolder = '/data'

export interface DeviceParts {
  readonly host: () => Host
  readonly log: (line: string) => void
  /** The token to enrol with, where it is told to. */
  readonly token: () => string
  /** Takes away what an agent has under way when it dies. */
  readonly died: () => void
  /** It ended without being asked to. */
  readonly failed: (why: unknown) => void
}

export class Device {
  isUp = false
  /** What the last one that enrolled was given. */
  token = ''
  private lives = 0
  private leaving = new AbortController()
  private readonly parts: DeviceParts

  constructor(parts: DeviceParts) {
    this.parts = parts
  }

  get isLeaving(): boolean {
    return this.isUp && this.leaving.signal.aborted
  }

  /** False where one is up. */
  start(enrolAgain: boolean): boolean {
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
    const { host, log, token } = this.parts
    if (enrolAgain) this.token = token()
    const enrolling = { enrolmentToken: enrolAgain ? this.token : null, enrolAgain }
    const options = {
      dataFolder,
      server: null,
      caFile: null,
      switchedOff: [],
      allowContainment: false,
      tied: false,
      log,
      host: host(),
      ...enrolling,
    }
    runAgent(options, signal).then(over, over)
    return true
  }

  /** It is told to leave, and takes the time that it needs. */
  leave(): boolean {
    if (!this.isUp || this.leaving.signal.aborted) return false
    this.leaving.abort()
    return true
  }

  /** It dies where it stands. */
  kill(): boolean {
    if (!this.isUp) return false
    this.isUp = false
    this.parts.died()
    return true
  }
}
