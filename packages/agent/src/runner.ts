/**
 * Carries actions out, and takes them back: journal → start → body → report; cancel → freeze, kill, prove → report. It is the same
 * for all types; what they differ in is their executor. `cancel` and `shutdown` are two different stops: the first ends what
 * runs and proves it, the second leaves it running for the next agent to take up.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { News } from '@countermand/contract'
import { startWithinMs } from '@countermand/contract'
import { CannotBeDone, type Executor, type Run } from './executors/executor.ts'
import { executors } from './executors/index.ts'
import type { Host } from './host/host.ts'
import { isWrapper } from './host/scope/wrapper-text.ts'
import type { Ended } from './host/types.ts'
import type { Journal, Record } from './journal.ts'
import { killPoint } from './kill-points.ts'
import type { NewsLog } from './news.ts'
import type { Transfer } from './transfer.ts'
import { plainly } from './trouble.ts'

export interface RunnerParts {
  readonly journal: Journal
  readonly news: NewsLog
  readonly host: Host
  readonly transfer: Transfer
  /** There is news, or a permission is needed. */
  readonly syncSoon: () => void
  readonly log: (line: string) => void
}

export interface Runner {
  /** Is somebody at work on it, who will also tell its end? */
  holds(id: string): boolean
  /** Takes up an action that is in the journal: a new one, one that an earlier agent held, or one whose end is still to be told. */
  take(record: Record): void
  /** Which actions may start now, until 30 s after `sentAt`. Replaces every earlier permission. */
  permit(ids: readonly string[], sentAt: number | null): void
  /** The cancel of an action that has begun is in the journal: end it. */
  cancel(id: string): void
  /** Leaves everything running, and waits until nothing is half written. */
  shutdown(): Promise<void>
}

interface Held {
  readonly cancelled: AbortController
  readonly work: Promise<void>
}

export function openRunner(parts: RunnerParts): Runner {
  const held = new Map<string, Held>()
  const leaving = new AbortController()
  const permits = openPermits(parts.host, parts.syncSoon)
  return {
    take: (record) => {
      const { id } = record.offer
      if (held.has(id)) return
      const cancelled = new AbortController()
      if (record.cancelledAt !== null) cancelled.abort()
      const work = carryOut(parts, record, { cancelled: cancelled.signal, leaving: leaving.signal, permits })
      held.set(id, { cancelled, work: work.finally(() => held.delete(id)) })
    },
    holds: (id) => held.has(id),
    permit: permits.replace,
    cancel: (id) => {
      permits.wakeAll()
      held.get(id)?.cancelled.abort()
    },
    shutdown: async () => {
      leaving.abort()
      permits.wakeAll()
      await Promise.all([...held.values()].map(({ work }) => work))
    },
  }
}

interface Permits {
  readonly replace: (ids: readonly string[], sentAt: number | null) => void
  readonly isFresh: (id: string) => boolean
  readonly change: () => Promise<void>
  readonly wakeAll: () => void
  readonly ask: () => void
}

function openPermits(host: Host, syncSoon: () => void): Permits {
  let given = new Set<string>()
  let since: number | null = null
  let waiting: (() => void)[] = []
  const wakeAll = (): void => {
    const woken = waiting
    waiting = []
    for (const wake of woken) wake()
  }
  return {
    replace: (ids, sentAt) => {
      given = new Set(ids)
      since = sentAt
      wakeAll()
    },
    isFresh: (id) => given.has(id) && since !== null && (host.bootSeconds() - since) * 1000 < startWithinMs,
    change: () => new Promise((resolve) => void waiting.push(resolve)),
    wakeAll,
    ask: syncSoon,
  }
}

interface Stops {
  readonly cancelled: AbortSignal
  readonly leaving: AbortSignal
  readonly permits: Permits
}

/** How often running work is tended. */
const tendMs = 500
const longestPauseMs = 5_000

/** Pauses before another try; longer each time, and no longer once the agent leaves. */
async function beforeAnotherTry(failures: number, leaving: AbortSignal): Promise<void> {
  await pause(Math.min(250 * 2 ** failures, longestPauseMs), undefined, { signal: leaving })
}

/**
 * What a disk or a host refuses now is taken up again from the journal, as the next agent would, and without waiting for one.
 * Never rejects.
 */
async function carryOut(parts: RunnerParts, record: Record, stops: Stops): Promise<void> {
  const { id } = record.offer
  let now: Record | null = record
  for (let failures = 0; now !== null && !stops.leaving.aborted; failures += 1) {
    try {
      return await new Task(parts, now, stops).run()
    } catch (thrown) {
      if (stops.leaving.aborted) return
      if (failures % 10 === 0) parts.log(`action ${id}, try ${failures + 1}: ${plainly(thrown)}`)
      await beforeAnotherTry(failures, stops.leaving).catch(() => undefined)
      const before: Record = now
      now = await parts.journal.find(id).catch(() => before)
    }
  }
}

/** One action, from the journal to its outcome. */
class Task {
  private readonly parts: RunnerParts
  private readonly record: Record
  private readonly stops: Stops
  private readonly executor: Executor
  private readonly id: string

  constructor(parts: RunnerParts, record: Record, stops: Stops) {
    this.parts = parts
    this.record = record
    this.stops = stops
    this.executor = executors[record.offer.type]
    this.id = record.offer.id
  }

  async run(): Promise<void> {
    const { verdict, outcome } = this.record
    if (outcome !== null) return this.tell(outcome)
    if (verdict?.verdict === 'withdrawn') return this.refuse()
    if (verdict?.verdict === 'start') return this.takeUp(verdict)
    return this.begin()
  }

  /** The cancel came first; nothing was begun and nothing will be. A scope that was made for it is of no use to anybody. */
  private async refuse(): Promise<void> {
    const { scopes } = this.parts.host
    await scopes.end(await scopes.make(this.id), this.id)
    const commands = [...this.executor.stopped(this.runIn(''), 'cancelled', nowhere)]
    await this.conclude({ kind: 'refused_start', action: this.id, commands })
  }

  private async begin(): Promise<void> {
    const { host, journal, log } = this.parts
    // The scope comes before the start file: a cancel that finds the file always finds the scope too.
    const scope = await host.scopes.make(this.id)
    killPoint('scope-made')
    const run = this.runIn(scope)
    const prepared = await this.executor.prepare(run).catch((thrown: unknown) => {
      if (thrown instanceof CannotBeDone || this.stops.cancelled.aborted)
        return thrown instanceof Error ? thrown : new Error(String(thrown))
      throw thrown
    })
    const mayStart = prepared instanceof Error ? !this.stops.cancelled.aborted : await this.permission()
    const at = host.now()
    // A cancel whose own word could not be written yet: what it kept from starting is not to be called failed.
    if (!mayStart && this.stops.cancelled.aborted) await journal.decide(this.id, { verdict: 'withdrawn', at })
    if (!mayStart) return this.withdrawn(scope)
    const start = {
      verdict: 'start',
      scope,
      at,
      bootId: host.bootId(),
      bootSeconds: host.bootSeconds(),
    } as const
    if (!(await journal.decide(this.id, start))) return this.withdrawn(scope)
    killPoint('start-decided')
    if (prepared instanceof Error) return this.failed(run, prepared.message)

    log(`action ${this.id}: starting`)
    try {
      // Not patiently: what cannot be told is not begun either, and the permission would not last.
      await this.parts.news.tell({
        kind: 'started',
        action: this.id,
        commands: [...this.executor.begun(run, at)],
      })
      this.parts.syncSoon()
      await host.scopes.start(scope, { ...prepared, folder: `${run.folder}/run` })
      killPoint('spawned')
    } catch (thrown) {
      if (this.stops.leaving.aborted) return
      if (!this.stops.cancelled.aborted) return this.failed(run, `It was not begun: ${plainly(thrown)}`)
    }
    return this.watch(run, start)
  }

  /** Waits for a permission that is fresh; false when the action was withdrawn meanwhile, or the agent leaves. */
  private async permission(): Promise<boolean> {
    const { permits, cancelled, leaving } = this.stops
    for (;;) {
      if (cancelled.aborted || leaving.aborted) return false
      if (permits.isFresh(this.id)) return true
      const change = permits.change()
      permits.ask()
      await change
    }
  }

  /** Not to be started: a cancel came first, the server has given it up and it is forgotten, or the agent leaves. */
  private async withdrawn(scope: string): Promise<void> {
    const now = await this.parts.journal.find(this.id)
    if (now === null) await this.parts.host.scopes.end(scope, this.id)
    else if (now.verdict?.verdict === 'withdrawn') await this.refuse()
  }

  /** An earlier agent had begun it. What still lives is taken up; a cancel that it had taken comes first. */
  private async takeUp(start: Record['verdict'] & { verdict: 'start' }): Promise<void> {
    const run = this.runIn(start.scope === '' ? await this.parts.host.scopes.make(this.id) : start.scope)
    this.parts.log(`action ${this.id}: taking up what an earlier agent had begun`)
    const commands = [...this.executor.begun(run, start.at)]
    // It may have to wait for a disk, and a cancel and the limit hold meanwhile. Untold when the agent leaves, the next one tells it.
    const told = this.tell({ kind: 'started', action: this.id, commands }).catch(() => undefined)
    await this.watch(run, start)
    await told
  }

  private async watch(
    run: Run,
    start: { readonly at: string; readonly bootId: string; readonly bootSeconds: number },
  ): Promise<void> {
    const { host } = this.parts
    const { cancelled, leaving } = this.stops
    const spentMs = host.bootId() === start.bootId ? (host.bootSeconds() - start.bootSeconds) * 1000 : 0
    const limit = AbortSignal.timeout(Math.max(0, Math.round(run.offer.runLimitMs - spentMs)))
    const tending = setInterval(() => void this.executor.tend(run).catch(() => undefined), tendMs)
    try {
      await host.scopes.ended(run.scope, `${run.folder}/run`, AbortSignal.any([cancelled, leaving, limit]))
    } catch (thrown) {
      if (leaving.aborted && !cancelled.aborted) return
      if (!cancelled.aborted && !limit.aborted) throw thrown
    } finally {
      clearInterval(tending)
    }
    await this.end(run, start.at, limit)
  }

  /** It ended, or is to end: from the freeze on nothing of it executes, so what is on disk then decides. */
  private async end(run: Run, startedAt: string, limit: AbortSignal): Promise<void> {
    const { scopes } = this.parts.host
    await scopes.freeze(run.scope)
    killPoint('frozen')
    const frozen = await scopes.exitStatus(`${run.folder}/run`)
    const endedAt = this.parts.host.now()
    const overran = frozen === null && limit.aborted
    if (frozen === null && this.stops.cancelled.aborted) return this.prove(run, startedAt)

    await this.executor.tend(run)
    const { killed, strays } = await this.endPatiently(run.scope)
    await this.tell({ kind: 'ended', action: this.id, commands: [...this.executor.begun(run, startedAt)] })
    const leftRunning = [...killed, ...strays].filter((found) => !isWrapper(found))
    const body = { status: frozen, leftRunning: overran ? [] : leftRunning, overran, startedAt, endedAt }
    try {
      const { outcome, detail, commands } = await this.executor.conclude(run, body)
      await this.conclude({ kind: 'finished', action: this.id, outcome, detail, commands: [...commands] })
    } catch (thrown) {
      if (this.stops.leaving.aborted) return
      await this.failed(run, thrown instanceof Error ? thrown.message : String(thrown), {
        startedAt,
        endedAt,
      })
    }
  }

  /** The cancel found it running, and it left no exit status: it is ended by us, and shown to be gone. */
  private async prove(run: Run, startedAt: string): Promise<void> {
    const { proof, strays } = await this.endPatiently(run.scope)
    const residues = strays.map(({ pid, command }) => `had left the scope, killed: ${pid} ${command}`)
    const commands = this.executor.stopped(run, 'cancelled', { startedAt, endedAt: this.parts.host.now() })
    await this.conclude({ kind: 'stopped', action: this.id, proof, residues, commands: [...commands] })
  }

  /**
   * Never says that something is gone before it is. What cannot be killed yet, or looked at (a mount that went away), is tried
   * again for as long as this agent lives, and by the next one.
   */
  private async endPatiently(scope: string): Promise<Ended> {
    for (let told = false; ;) {
      try {
        const ended = await this.parts.host.scopes.end(scope, this.id)
        killPoint('emptied')
        return ended
      } catch (thrown) {
        const detail = thrown instanceof Error ? thrown.message : String(thrown)
        this.parts.log(`action ${this.id}: ${detail}`)
        if (!told) told = await this.isTold(detail)
        await pause(1_000, undefined, { signal: this.stops.leaving })
      }
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

  private async failed(
    run: Run,
    detail: string,
    times: { startedAt: string | null; endedAt: string | null } = nowhere,
  ): Promise<void> {
    await this.endPatiently(run.scope)
    const commands = [...this.executor.stopped(run, detail, times)]
    await this.conclude({
      kind: 'finished',
      action: this.id,
      outcome: 'failed',
      detail: detail.slice(0, 4096),
      commands,
    })
  }

  private async conclude(outcome: News): Promise<void> {
    await this.patiently(() => this.parts.journal.conclude(this.id, outcome))
    killPoint('outcome-journalled')
    this.parts.log(
      `action ${this.id}: ${'proof' in outcome ? outcome.proof : 'outcome' in outcome ? outcome.outcome : outcome.kind}`,
    )
    await this.tell(outcome)
  }

  private async tell(news: News): Promise<void> {
    await this.patiently(() => this.parts.news.tell(news))
    this.parts.syncSoon()
  }

  /** What has happened is written down as soon as the disk takes it. Throws only when the agent leaves before. */
  private async patiently(write: () => Promise<void>): Promise<void> {
    for (let failures = 0; ; failures += 1) {
      try {
        return await write()
      } catch (thrown) {
        if (failures === 0)
          this.parts.log(`action ${this.id}: ${plainly(thrown)}; what happened waits to be told`)
        await beforeAnotherTry(failures, this.stops.leaving)
      }
    }
  }

  private runIn(scope: string): Run {
    const { host, transfer } = this.parts
    const { offer, folder } = this.record
    const { leaving, cancelled } = this.stops
    return {
      offer,
      folder,
      scope,
      host,
      fetch: (file) =>
        transfer.fetch({ ...file, actionId: offer.id, folder }, AbortSignal.any([leaving, cancelled])),
      deliver: (index, content) => transfer.deliver({ actionId: offer.id, index, content }, leaving),
    }
  }
}

const nowhere = { startedAt: null, endedAt: null }
