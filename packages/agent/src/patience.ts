/** What a disk or a host refuses now is tried again, for as long as this agent lives: nothing is said before it is so. */
import { setTimeout as pause } from 'node:timers/promises'
import type { News } from '@countermand/contract'
import type { Ended } from './host/types.ts'
import { killPoint } from './kill-points.ts'
import type { RunnerParts } from './runner-parts.ts'
import { plainly } from './trouble.ts'

const longestPauseMs = 5_000
/** Work that does not come back when it is told to end hangs in the kernel. */
const hangsAfterMs = 30_000

/** Pauses before another try; longer each time, and no longer once the agent leaves. */
export async function beforeAnotherTry(failures: number, leaving: AbortSignal): Promise<void> {
  await pause(Math.min(250 * 2 ** failures, longestPauseMs), undefined, { signal: leaving })
}

/** For one action. What is tried again here throws when the agent leaves before it is done, and for nothing else. */
export class Patience {
  private readonly parts: RunnerParts
  private readonly id: string
  private readonly leaving: AbortSignal

  constructor(parts: RunnerParts, id: string, leaving: AbortSignal) {
    this.parts = parts
    this.id = id
    this.leaving = leaving
  }

  /** What has happened is written down as soon as the disk takes it. */
  async until<T>(write: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures += 1) {
      try {
        return await write()
      } catch (thrown) {
        if (failures === 0)
          this.parts.log(`action ${this.id}: ${plainly(thrown)}; what happened waits to be told`)
        await beforeAnotherTry(failures, this.leaving)
      }
    }
  }

  async tell(news: News): Promise<void> {
    await this.until(() => this.parts.news.tell(news))
    this.parts.syncSoon()
  }

  async conclude(outcome: News): Promise<void> {
    await this.until(() => this.parts.journal.conclude(this.id, outcome))
    killPoint('outcome-journalled')
    const word = 'proof' in outcome ? outcome.proof : 'outcome' in outcome ? outcome.outcome : outcome.kind
    this.parts.log(`action ${this.id}: ${word}`)
    await this.tell(outcome)
  }

  /** What cannot be killed yet, or looked at (a mount that went away), is tried again, and by the next agent too. */
  async emptied(scope: string, options: { readonly keep: boolean }): Promise<Ended> {
    for (let told = false; ;) {
      try {
        const ended = await this.parts.host.scopes.end(scope, this.id, options)
        if (!options.keep) killPoint('emptied')
        return ended
      } catch (thrown) {
        const detail = thrown instanceof Error ? thrown.message : String(thrown)
        this.parts.log(`action ${this.id}: ${detail}`)
        if (!told) told = await this.isTold(detail)
        await pause(1_000, undefined, { signal: this.leaving })
      }
    }
  }

  /** The agent's own work, once it has come back, as it came: that it was told to end is no end. */
  async over<T>(work: Promise<T>, told: AbortSignal): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const wait = (): void => {
      timer = setTimeout(() => {
        if (!this.leaving.aborted)
          void this.isTold('a file of this host does not answer; the work on it hangs')
      }, hangsAfterMs)
    }
    if (told.aborted) wait()
    else told.addEventListener('abort', wait, { once: true })
    try {
      return await work
    } finally {
      told.removeEventListener('abort', wait)
      clearTimeout(timer)
    }
  }

  /** Once, and without waiting for a disk: the killing goes on. */
  private isTold(detail: string): Promise<boolean> {
    const news = { kind: 'unkillable', action: this.id, detail: detail.slice(0, 4096) } as const
    return this.parts.news.tell(news).then(
      () => true,
      () => false,
    )
  }
}
