/** What a cancel promises (ARCHITECTURE.md), held against what is committed, what was sent, and what has really happened. */
import type { ChainHead, Reply, Statement } from '@countermand/contract'
import type { Action } from '../../packages/server/src/core/action-shape.ts'
import { isOpen, isOutstanding, isUndelivered, ownerOf } from '../../packages/server/src/core/action.ts'
import { dataText, genesis, linkText } from '../../packages/server/src/core/chain.ts'
import { day } from '../../packages/server/src/core/deadline.ts'
import { digestOf } from './digest.ts'
import type { Truth } from './machine.ts'
import { bodyOf } from './network.ts'
import { noTables, type EventRow, type Tables } from './tables.ts'

export interface PromiseParts {
  readonly note: (line: string) => void
  readonly now: () => number
  readonly truthOf: (id: string) => Truth
  readonly isAlive: (id: string) => boolean
}

const neverRan: readonly (string | null)[] = ['never_offered', 'not_received', 'refused_start']
const byDevice: readonly (string | null)[] = ['not_received', 'refused_start', 'stopped', 'swept', 'reverted']
const startWithinSeconds = 30

/** A reply that the device has read as the answer to what it had said. */
interface Accepted {
  readonly may: ReadonlySet<string>
  readonly sentAt: number
}

export class Promises {
  /** What was broken, in the order in which it showed. */
  readonly broken: string[] = []
  /** For the closing line. */
  readonly ends = new Map<string, number>()
  private readonly parts: PromiseParts
  /** As it was when the server's last step was done. */
  private last: Tables = noTables
  private readonly heads = new Map<string, ChainHead>()
  private readonly cancelled = new Set<string>()
  private readonly offered = new Set<string>()
  /** Numbers of the news in the statements that were kept. */
  private readonly newsKept = new Set<number>()
  private accepted: Accepted[] = []
  private readonly permitted = new Set<string>()
  private readonly toBeStopped = new Set<string>()

  constructor(parts: PromiseParts) {
    this.parts = parts
  }

  readonly break = (what: string): void => {
    this.parts.note(`BROKEN: ${what}`)
    this.broken.push(what)
  }

  private expect(isSo: boolean, what: string, id?: string): void {
    if (!isSo) this.break(id === undefined ? what : `${what} (action ${Number(id.slice(-12))})`)
  }

  /** After every step of the server. */
  committed(tables: Tables): void {
    if (tables === this.last) return
    for (const [id, action] of tables.actions) {
      const before = this.last.actions.get(id)
      if (before === action) continue
      if (before !== undefined) this.changed(before, action)
      this.stands(action)
    }
    this.chained(tables.events.slice(this.last.events.length), tables)
    this.heard(tables)
    this.last = tables
  }

  private changed(before: Action, now: Action): void {
    const { id } = now
    if (!isOpen(before)) {
      const same =
        before.phase === now.phase &&
        before.proof === now.proof &&
        before.reason === now.reason &&
        before.finishedAt?.getTime() === now.finishedAt?.getTime()
      this.expect(same, `one final state, ever: ${before.phase} became ${now.phase}`, id)
    }
    if (before.cancel !== null) {
      this.expect(now.attempt === before.attempt, 'no offer commits after the cancel has', id)
      this.expect(now.cancel?.by === before.cancel.by, 'a cancel that was taken stays', id)
    }
  }

  private stands(action: Action): void {
    const { id, phase, proof, deadlineAt } = action
    this.expect((phase === 'cancelled') === (proof !== null), 'Cancelled exactly with a proof', id)
    this.expect(isOpen(action) === (deadlineAt !== null), 'every open state has a deadline', id)
    this.expect(isOpen(action) === (ownerOf(action) !== null), 'every open state has an owner', id)
    const latest = this.parts.now() + 3 * day + 1
    this.expect(deadlineAt === null || deadlineAt.getTime() <= latest, 'a deadline comes', id)
    if (isOpen(action)) return

    this.expect(!isOutstanding(action.cancel), 'no cancel is outstanding after the end', id)
    const truth = this.parts.truthOf(id)
    if (neverRan.includes(proof)) this.expect(truth.starts === 0, `${proof}, and yet it has run`, id)
    if (proof === 'never_offered') this.expect(!this.offered.has(id), 'never_offered, and yet it was', id)
    if (proof === 'stopped') {
      this.expect(!this.parts.isAlive(id), 'stopped, and yet something of it lives', id)
      this.expect(isTrue('stopped', truth), 'stopped, and yet it had ended by itself before', id)
    }
    if (phase === 'succeeded') this.expect(truth.exited !== null, 'succeeded, and yet it has not ended', id)
  }

  /** The history has no gap, is not rewritten, offers nothing after a cancel, and gives the device's own words. */
  private chained(events: readonly EventRow[], tables: Tables): void {
    for (const event of events) {
      const { chain, sequence, previous, digest, kind, actionId, statement, ...rest } = event
      const head = this.heads.get(chain) ?? { sequence: 0, digest: genesis }
      const follows = sequence === head.sequence + 1 && previous === head.digest
      this.expect(follows, `the history has no gap: ${chain} ${sequence}`)
      const link = { chain, sequence, previous, kind, actionId, statement, ...rest }
      this.expect(
        digest === digestOf(linkText({ ...link, data: dataText(link.data) })),
        `the history fits its digests: ${chain} ${sequence}`,
      )
      this.heads.set(chain, { sequence, digest })
      if (statement !== null)
        this.expect(tables.statements.has(statement), 'a statement is kept with what it has caused')
      if (actionId !== null) this.event(event, actionId, tables.statements.get(statement ?? '') ?? null)
    }
  }

  private event({ kind, data }: EventRow, id: string, jws: string | null): void {
    const { commands: _, ...said } = data as { readonly commands?: unknown }
    this.parts.note(`server: ${kind} ${Number(id.slice(-12))} ${JSON.stringify(said)}`)
    if (kind === 'action.cancel_too_late' && this.toBeStopped.has(id))
      this.expect(this.parts.truthOf(id).exited !== null, 'too_late needs an exit from before', id)
    if (kind === 'action.cancel_requested') this.cancelled.add(id)
    if (kind === 'action.offered')
      this.expect(!this.cancelled.has(id), 'no offer is written after the cancel', id)
    if (kind !== 'action.cancelled') return
    const { proof } = data as { readonly proof?: string }
    if (byDevice.includes(proof ?? null))
      this.expect(
        jws !== null && says(bodyOf(jws) as Statement, id, proof),
        `${proof} is in the words that are kept`,
        id,
      )
  }

  /** What is acknowledged has been kept. */
  private heard(tables: Tables): void {
    for (const [digest, jws] of tables.statements) {
      if (this.last.statements.has(digest)) continue
      for (const { n } of (bodyOf(jws) as Statement).news) this.newsKept.add(n)
    }
    for (const { id, order, keyThumbprint } of tables.devices.values()) {
      const before = this.last.devices.get(id)
      const isSame = before?.keyThumbprint === keyThumbprint
      if (!isSame) this.newsKept.clear()
      for (let n = (isSame ? before.order.news : 0) + 1; n <= order.news; n += 1)
        this.expect(this.newsKept.has(n), `news that is acknowledged is kept: ${n}`)
      this.expect(!order.forked, 'a device with one history is not taken for two')
    }
  }

  /** The server has signed this, whoever may read it. */
  replied({ offers, starts }: Reply): void {
    for (const id of [...offers.map((offer) => offer.id), ...starts]) {
      const action = this.last.actions.get(id)
      this.offered.add(id)
      if (action === undefined || !isOpen(action) || isOutstanding(action.cancel))
        this.break(`a reply lets something go that was taken back: ${id}`)
    }
  }

  /** The device has read this as an answer. */
  arrived({ offers, starts }: Reply, sentAt: number): void {
    const may = new Set([...offers.map(({ id }) => id), ...starts])
    this.accepted.push({ may, sentAt })
  }

  /** The device has finished with all the answers that it has read. */
  obeyed(): void {
    this.accepted = this.accepted.slice(-1)
  }

  /** The server has just looked at its deadlines. */
  expired(): void {
    const now = new Date(this.parts.now())
    for (const { id, deadlineAt } of this.last.actions.values())
      this.expect(deadlineAt === null || deadlineAt > now, 'a deadline that has passed ends something', id)
  }

  /** The device decides that an action begins; or that it has ended, where it could not be prepared. */
  decided(id: string, atSeconds: number): void {
    const isFresh = ({ may, sentAt }: Accepted): boolean =>
      may.has(id) && atSeconds - sentAt < startWithinSeconds
    if (this.accepted.some(isFresh)) this.permitted.add(id)
  }

  /** An agent begins with these cancels in its journal: whatever still runs is ended by them, and by nothing else. */
  resumed(cancels: readonly string[]): void {
    for (const id of cancels) this.toBeStopped.add(id)
  }

  /** A power cut has taken these cancels, which were not synced yet, and were therefore not acknowledged. */
  lost(cancels: readonly string[]): void {
    for (const id of cancels) this.toBeStopped.delete(id)
  }

  /** The script runs from this instant. */
  started(id: string): void {
    this.expect(this.permitted.has(id), 'a start needs a permission that is fresh', id)
    this.expect(this.parts.truthOf(id).starts === 1, 'nothing starts twice', id)
    const action = this.last.actions.get(id)
    const proof = action?.proof ?? null
    if (proof !== null && proof !== 'attested')
      this.break(`it starts after it was shown to be ${proof}: ${id}`)
  }

  /** A server that is put back from a backup knows no more than that; what holds is held against that from here on. */
  forget(backup: Tables): void {
    this.last = backup
    this.heads.clear()
    for (const { chain, sequence, digest } of backup.events) this.heads.set(chain, { sequence, digest })
    this.cancelled.clear()
    for (const { kind, actionId } of backup.events)
      if (kind === 'action.cancel_requested' && actionId !== null) this.cancelled.add(actionId)
  }

  /** The public half, as the server has it. */
  keyOfDevice(): unknown {
    return [...this.last.devices.values()][0]?.key?.x
  }

  /** Actions, oldest first. */
  ids(): readonly string[] {
    return [...this.last.actions.keys()]
  }

  /** Grows with everything that the server has learnt. */
  known(): number {
    const versions = [...this.last.actions.values()].map(({ version }) => version)
    return versions.reduce((sum, version) => sum + version, this.last.events.length)
  }

  /** Nothing is left to be done or said, but for what runs and may run. */
  areOver(running: readonly string[]): boolean {
    return [...this.last.actions.values()].every((action) =>
      isOpen(action) ? running.includes(action.id) && !isOutstanding(action.cancel) : !isUndelivered(action),
    )
  }

  /** A device that can be reached settles every cancel itself. */
  cancelsAreSettled(): void {
    for (const [id, { phase, cancel }] of this.last.actions)
      this.expect(
        !isOutstanding(cancel),
        `a cancel is settled, and this one is ${cancel?.state} in ${phase}`,
        id,
      )
  }

  /** Everything is well again and all has been said: the ends are true, and both sides agree. */
  atRest(held: readonly string[]): void {
    this.expect(held.length === 0, `the device lets go of what is over: ${held.join(', ')}`)
    for (const [id, action] of this.last.actions) {
      const { proof, phase, lateOutcome, effect } = action
      const word = wordOf(action)
      this.ends.set(word, (this.ends.get(word) ?? 0) + 1)
      this.expect(!isOpen(action), `everything has an end, and this is ${phase}`, id)
      this.expect(!isUndelivered(action), 'a cancel reaches its device', id)
      const truth = this.parts.truthOf(id)
      const story = lateOutcome ?? proof ?? phase
      this.expect(!this.parts.isAlive(id), `nothing is left running: ${word}`, id)
      this.expect(isTrue(story, truth), `the end is true: ${word}, and really ${JSON.stringify(truth)}`, id)
      if (truth.starts > 0 && effect.state === 'unknown')
        this.break(`the device’s word arrives: ${word} (action ${Number(id.slice(-12))})`)
    }
  }
}

/** Does a device's statement carry this proof? That something is missing from its list is one. */
const says = ({ news, held }: Statement, id: string, proof: string | undefined): boolean =>
  proof === 'not_received'
    ? !held.some((action) => action.id === id)
    : news.some((item) => item.action === id && item.kind === (proof === 'swept' ? 'stopped' : proof))

/** An end, as it is counted and shown. */
function wordOf({ phase, proof, cancel, lateOutcome }: Action): string {
  const end = proof === null ? phase : `${phase} (${proof})`
  const asked = cancel === null || proof !== null ? '' : `, cancel ${cancel.state}`
  return `${end}${asked}${lateOutcome === null ? '' : `, late ${lateOutcome}`}`
}

/** Does the last word about an action fit what has happened to its script? */
function isTrue(story: string, { starts, exited, wasEnded }: Truth): boolean {
  switch (story) {
    case 'never_offered':
    case 'not_received':
    case 'refused_start':
      return starts === 0
    case 'stopped':
      return exited === null || wasEnded
    case 'succeeded':
      return exited !== null
    case 'timed_out':
      return starts === 0 || wasEnded
    case 'attested':
      return starts === 0
    // Begun in the journal, and ended without a status: it may have run, and may not.
    case 'failed':
      return exited === null || wasEnded
    default:
      return false
  }
}
