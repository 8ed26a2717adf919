/**
 * One action, from the journal to its outcome: step after step, each begun by leave of the server and under the journal's eyes.
 * It is the same for all types; what they differ in is their steps.
 */
import { actions, notBegun, type CommandOutcome, type Progress } from '@countermand/contract'
import { CannotBeDone, type Prepared, type Run, type Step, type Undone } from './executors/executor.ts'
import { executors } from './executors/index.ts'
import { isToBeUndone, type Record, type Verdict } from './journal.ts'
import { killPoint } from './kill-points.ts'
import { Patience } from './patience.ts'
import type { RunnerParts, Stops } from './runner-parts.ts'
import { plainly } from './trouble.ts'
import { agentVersion } from './version.ts'
import { endOf, type Since, type UnderWay } from './under-way.ts'

type Start = Verdict & { readonly verdict: 'start' }

export class Task {
  /** Nothing of it has begun, and only the leave to begin is missing. */
  isWaiting = false
  private readonly parts: RunnerParts
  private readonly record: Record
  private readonly stops: Stops
  private readonly id: string
  private readonly patience: Patience
  private readonly steps: readonly Step[]
  private stands: readonly CommandOutcome[]
  private since: Since = { bootId: '', bootSeconds: 0 }
  private scope = ''
  private look: Pick<Progress, 'share' | 'line'> = { share: null, line: null }

  constructor(parts: RunnerParts, record: Record, stops: Stops) {
    this.parts = parts
    this.record = record
    this.stops = stops
    this.id = record.offer.id
    this.patience = new Patience(parts, this.id, stops.leaving)
    this.steps = executors[record.offer.type](record.offer)
    this.stands = record.stand?.steps ?? this.steps.map((_, index) => notBegun(index))
  }

  async run(): Promise<void> {
    const { verdict, outcome } = this.record
    if (isToBeUndone(this.record)) return this.takeBack()
    if (outcome !== null) return this.patience.tell(outcome)
    if (verdict?.verdict === 'withdrawn') return this.refuse()
    if (verdict?.verdict === 'start') return this.takeUp(verdict)
    return this.begin()
  }

  /** How far it is; null while nothing of it runs. */
  progress(): Progress | null {
    const step = this.stands.findLastIndex(({ startedAt }) => startedAt !== null)
    return step === -1 ? null : { action: this.id, step, ...this.look }
  }

  /** The cancel came first; nothing was begun and nothing will be. A scope that was made for it is of no use to anybody. */
  private async refuse(): Promise<void> {
    const { scopes } = this.parts.host
    await scopes.end(await scopes.make(this.id), this.id)
    await this.patience.conclude({
      kind: 'refused_start',
      action: this.id,
      commands: this.steps.map((_, index) => notBegun(index)),
    })
  }

  private async begin(): Promise<void> {
    const { host, journal } = this.parts
    // The scope comes before the start file: a cancel that finds the file always finds the scope too.
    this.scope = await host.scopes.make(this.id)
    killPoint('scope-made')
    const prepared = await this.prepare(0)
    const mayStart = prepared instanceof Error ? !this.stops.cancelled.aborted : await this.permission(true)
    const at = host.now()
    // A cancel whose own word could not be written yet: what it kept from starting is not to be called failed.
    if (!mayStart && this.stops.cancelled.aborted) await journal.decide(this.id, { verdict: 'withdrawn', at })
    if (!mayStart) return this.withdrawn()
    const start: Start = { verdict: 'start', scope: this.scope, at, ...this.now() }
    if (!(await journal.decide(this.id, start))) return this.withdrawn()
    killPoint('start-decided')
    if (prepared instanceof Error) return this.failed(0, prepared.message)

    this.parts.log(`action ${this.id}: starting`)
    this.note(0, { startedAt: at })
    this.since = start
    if (await this.launch(0, prepared)) await this.carryOn()
  }

  /** Waits for a permission that is fresh; false when the action was withdrawn or given up meanwhile, or the agent leaves. */
  private async permission(isFirst: boolean): Promise<boolean> {
    const { permits, cancelled, givenUp, leaving } = this.stops
    for (;;) {
      if (cancelled.aborted || givenUp.aborted || leaving.aborted) return false
      const isOpen = !isFirst || permits.mayBegin(this.id)
      if (isOpen && permits.isFresh(this.id)) return true
      const change = permits.change()
      if (isOpen) permits.ask()
      this.isWaiting = isFirst
      await change
      this.isWaiting = false
    }
  }

  /** Waits for a permission by a statement that was sent from now on. */
  private async leave(signal: AbortSignal): Promise<void> {
    const { permits, givenUp } = this.stops
    const from = this.parts.host.bootSeconds()
    const over = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    )
    for (;;) {
      signal.throwIfAborted()
      if (givenUp.aborted) throw new CannotBeDone('the server had stopped waiting for this action')
      if (permits.isFresh(this.id, from)) return
      const change = permits.change()
      permits.ask()
      await Promise.race([change, over])
    }
  }

  /** Not to be started: a cancel came first, the server has given it up and it is forgotten, or the agent leaves. */
  private async withdrawn(): Promise<void> {
    const now = await this.parts.journal.find(this.id)
    if (now === null) await this.parts.host.scopes.end(this.scope, this.id)
    else if (now.verdict?.verdict === 'withdrawn') await this.refuse()
  }

  /** An earlier agent had begun it. What still lives is taken up; a cancel that it had taken comes first. */
  private async takeUp(start: Start): Promise<void> {
    this.scope = start.scope === '' ? await this.parts.host.scopes.make(this.id) : start.scope
    this.since = this.record.stand ?? start
    if (this.record.stand === null) this.note(0, { startedAt: start.at })
    this.parts.log(`action ${this.id}: taking up what an earlier agent had begun`)
    const kind = this.record.stand === null ? ('started' as const) : ('stepped' as const)
    // It may have to wait for a disk, and a cancel and the limit hold meanwhile. Untold when the agent leaves, the next one tells it.
    const told = this.patience
      .tell({ kind, action: this.id, commands: [...this.stands] })
      .catch(() => undefined)
    await this.carryOn()
    await told
  }

  /** Step after step: one that is under way first, and then those that have not been begun. */
  private async carryOn(): Promise<void> {
    for (const [index, step] of this.steps.entries()) {
      const stand = this.stands[index]
      if (stand === undefined || stand.status === 'Completed') continue
      if (stand.status === 'Failed') return this.finish('failed')
      if (stand.startedAt === null && !(await this.next(index))) return
      const found = await endOf(this.under(index, step))
      if (found === null) return this.stop()
      const { failed, overran, ...said } = found
      this.note(index, { status: failed ? 'Failed' : 'Completed', ...said })
      if (failed || this.isLast(index))
        return this.finish(overran ? 'timed_out' : failed ? 'failed' : 'succeeded')
      await this.stood()
      await this.patience.tell({ kind: 'stepped', action: this.id, commands: [...this.stands] })
      killPoint('step-over')
    }
  }

  /** Begins a later step, as the first was begun: prepared, permitted, journalled, told. False where it was not, and all is said. */
  private async next(index: number): Promise<boolean> {
    const prepared = await this.prepare(index)
    if (this.stops.cancelled.aborted) return this.stop().then(() => false)
    if (prepared instanceof Error) return this.failed(index, prepared.message).then(() => false)
    if (!(await this.permission(false))) {
      this.stops.leaving.throwIfAborted()
      const why = 'it was not begun: the server had stopped waiting for this action'
      await (this.stops.cancelled.aborted ? this.stop() : this.failed(index, why))
      return false
    }
    this.since = this.now()
    this.look = { share: null, line: null }
    this.note(index, { startedAt: this.parts.host.now() })
    await this.stood()
    killPoint('step-begun')
    // From here on a cancel finds it begun.
    if (this.stops.cancelled.aborted) return this.stop().then(() => false)
    return this.launch(index, prepared)
  }

  /** What it takes to begin a step; what cannot be done is an answer, and other trouble passes. */
  private prepare(index: number): Promise<Prepared | null | Error> {
    const run = this.runOf(index, AbortSignal.any([this.stops.leaving, this.stops.cancelled]))
    return (
      this.steps[index]?.prepare(run).catch((thrown: unknown) => {
        if (thrown instanceof CannotBeDone || this.stops.cancelled.aborted)
          return thrown instanceof Error ? thrown : new Error(String(thrown))
        throw thrown
      }) ?? Promise.resolve(null)
    )
  }

  /** Says that it begins, and starts its program if it has one. False where that failed, and all is said. */
  private async launch(index: number, prepared: Prepared | null): Promise<boolean> {
    const kind = index === 0 ? ('started' as const) : ('stepped' as const)
    try {
      // Not patiently: what cannot be told is not begun either, and the permission would not last.
      await this.parts.news.tell({ kind, action: this.id, commands: [...this.stands] })
      this.parts.syncSoon()
      if (prepared !== null)
        await this.parts.host.scopes.start(this.scope, { ...prepared, folder: this.folderOf(index) })
      if (prepared !== null) killPoint('spawned')
    } catch (thrown) {
      this.stops.leaving.throwIfAborted()
      if (this.stops.cancelled.aborted) return true
      await this.failed(index, `It was not begun: ${plainly(thrown)}`)
      return false
    }
    return true
  }

  private under(index: number, step: Step): UnderWay {
    const { parts, stops, patience, scope, since } = this
    return {
      id: this.id,
      parts,
      stops,
      patience,
      scope,
      step,
      since,
      isLast: this.isLast(index),
      programFolder: this.folderOf(index),
      runOf: (signal) => this.runOf(index, signal),
      bodyIsOver: () => patience.tell({ kind: 'ended', action: this.id, commands: [...this.stands] }),
    }
  }

  /** The cancel ended it before it was done: nothing of it is left running, and what it had put here is taken back. */
  private async stop(): Promise<void> {
    const { proof, strays } = await this.patience.emptied(this.scope, { keep: false })
    const undone = await this.undo()
    const residues = strays.map(({ pid, command }) => `had left the scope, killed: ${pid} ${command}`)
    const endedAt = this.parts.host.now()
    const commands = this.stands.map((stand) =>
      stand.status === 'Created' && stand.startedAt !== null
        ? { ...stand, status: 'Failed' as const, endedAt, errors: ['cancelled'] }
        : stand,
    )
    const about = { action: this.id, commands: told(commands, undone) }
    if (undone.residues.length > 0)
      return this.patience.conclude({
        kind: 'revert_failed',
        ...about,
        residues: [...residues, ...undone.residues],
      })
    // A proof that is weaker, or a list of what had escaped, says more than that files were taken back.
    const isWhole = proof === 'stopped' && residues.length === 0
    return this.patience.conclude(
      actions[this.record.offer.type].reversible || (undone.isChanged && isWhole)
        ? { kind: 'reverted', ...about }
        : { kind: 'stopped', ...about, proof, residues },
    )
  }

  /** It had ended by itself when the cancel came: what it did is taken back all the same. */
  private async takeBack(): Promise<void> {
    const { outcome, verdict } = this.record
    if (outcome !== null && 'commands' in outcome) this.stands = outcome.commands
    if (verdict?.verdict === 'start') this.scope = verdict.scope
    if (this.scope === '') this.scope = await this.parts.host.scopes.make(this.id)
    await this.stop()
  }

  /** Newest first. What the disk refuses now is tried again. */
  private async undo(): Promise<Undone> {
    let all: Undone = { isChanged: false, residues: [] }
    for (const [index, step] of [...this.steps.entries()].toReversed()) {
      if (this.stands[index]?.startedAt == null) continue
      const one = await this.patience.until(() => step.undo(this.runOf(index, this.stops.leaving)))
      all = {
        ...all,
        ...one,
        isChanged: all.isChanged || one.isChanged,
        residues: [...all.residues, ...one.residues],
      }
    }
    killPoint('undone')
    return all
  }

  private async finish(outcome: 'succeeded' | 'failed' | 'timed_out'): Promise<void> {
    await this.patience.emptied(this.scope, { keep: false })
    const detail = this.stands.findLast(({ errors }) => errors.length > 0)?.errors[0]?.slice(0, 4096) ?? null
    await this.patience.conclude({
      kind: 'finished',
      action: this.id,
      outcome,
      detail,
      commands: [...this.stands],
    })
  }

  /** A step that could not be begun. */
  private async failed(index: number, why: string): Promise<void> {
    this.note(index, { status: 'Failed', startedAt: null, endedAt: null, errors: [why.slice(0, 4096)] })
    await this.finish('failed')
  }

  private note(index: number, change: Partial<CommandOutcome>): void {
    this.stands = this.stands.map((stand) => (stand.index === index ? { ...stand, ...change } : stand))
  }

  private stood(): Promise<void> {
    const { bootId, bootSeconds } = this.since
    const stand = { steps: this.stands, bootId, bootSeconds }
    return this.patience.until(() => this.parts.journal.stand(this.id, stand))
  }

  private isLast(index: number): boolean {
    return index === this.steps.length - 1
  }

  private now(): Since {
    const { host } = this.parts
    return { bootId: host.bootId(), bootSeconds: host.bootSeconds() }
  }

  private folderOf(index: number): string {
    return `${this.record.folder}/run/${index}`
  }

  private runOf(index: number, signal: AbortSignal): Run {
    const { host, transfer, journal } = this.parts
    const { offer, folder } = this.record
    const action = { actionId: offer.id, folder }
    return {
      offer,
      index,
      folder,
      signal,
      host,
      agentVersion,
      scope: this.scope,
      startedAt: this.stands[index]?.startedAt ?? '',
      programFolder: this.folderOf(index),
      fetch: (file) => transfer.fetch({ ...file, ...action }, signal),
      deliver: (content) => transfer.deliver({ actionId: offer.id, index, content }, signal),
      look: (share, line) => (this.look = { share: share && Math.round(share * 1000) / 1000, line }),
      promise: (what) => journal.promise(offer.id, index, what),
      moment: killPoint,
      promised: () => journal.promised(offer.id, index),
      askLeave: () => this.leave(signal),
      departure: this.departure(),
    }
  }

  private departure(): Run['departure'] {
    const { id, stops } = this
    const { departure } = this.parts
    return {
      ...departure,
      alone: stops.alone,
      takeOff: () => departure.takeOff(id),
      commit: () => departure.commit(id),
      isCommitted: () => departure.isCommitted(id),
      stay: async () => {
        stops.permits.only(null)
        return departure.stay(id)
      },
    }
  }
}

/** What is left of it is told by its first step. */
const told = (commands: readonly CommandOutcome[], { quarantined }: Undone): CommandOutcome[] =>
  commands.map((command, index) =>
    index === 0 && quarantined !== undefined ? { ...command, quarantined } : command,
  )
