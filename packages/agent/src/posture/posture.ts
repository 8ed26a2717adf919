/**
 * How this host stands in one aspect, as a desired state: what a reply says is put on disk, made so, and put back whoever removes it.
 * What could cut this device off is to be confirmed, by a sync that was sent after it; without one the host goes back.
 */
import {
  confirmWithinMs,
  type News,
  type Posture as Document,
  type PostureReport,
} from '@countermand/contract'
import type { Host } from '../host/host.ts'
import { killPoint } from '../kill-points.ts'
import type { NewsLog } from '../news.ts'
import type { Answer } from '../sync.ts'
import { plainly } from '../trouble.ts'
import type { Control } from './control.ts'
import { Drifts } from './drifts.ts'
import { begin, isActive, isSame, nothing, type PostureFile, type PostureState } from './posture-file.ts'
import type { ReleasedFile } from './released-file.ts'
import { Withdrawn } from './withdrawn.ts'
import { failed, noContact, notReleased, startedBy, succeeded } from './words.ts'

export interface PostureParts {
  readonly file: PostureFile
  readonly released: ReleasedFile
  readonly news: Pick<NewsLog, 'tell' | 'isPending'>
  readonly control: Control
  readonly host: Pick<Host, 'bootSeconds' | 'bootId' | 'now'>
  /** Why this host cannot or must not stand so; null where it can. */
  readonly whyNot: () => Promise<string | null>
  readonly syncSoon: () => void
  readonly log: (line: string) => void
}

/** How often what cannot be made is tried again before it counts as failed, a second apart. */
const mostRetries = 3
const [releaseEverySeconds, checkEverySeconds] = [5, 4]

export class Posture {
  private readonly parts: PostureParts
  private readonly withdrawn: Withdrawn
  private readonly drifts = new Drifts()
  private state: PostureState
  /** Nobody ever said how this host is to stand: however it does is left alone. */
  private isFresh: boolean
  /** Brought by a reply, and not on disk yet. */
  private ordered: Document | null = null
  /** A server with another history is to hear again what stands. */
  private isRetelling = false
  /** Of the latest reply that said anything of it. */
  private latest: Document | null = null
  /** The host was read back, and stands as is wanted. */
  private isVerified = false
  private isReverting = false
  /** The host may have something of ours. */
  private mayHold = false
  private failures = 0
  private nextTryAt = -Infinity
  private madeAt = Infinity
  private checkedAt = -Infinity
  private turn: Promise<void> = Promise.resolve()
  private looking: Promise<void> | null = null
  private unwatch: (() => void) | null = null
  private isClosed = false

  private constructor(parts: PostureParts, state: PostureState | null) {
    this.parts = parts
    this.isFresh = state === null
    this.state = state ?? begin
    this.withdrawn = new Withdrawn(parts.news, () => this.state.toTell)
    const { confirmed, candidate } = this.state
    this.mayHold = isActive(confirmed) || (candidate !== null && isActive(candidate.document))
    // Another boot: nothing of it is there any more, and it has its time anew.
    if (candidate !== null && candidate.appliedAt?.bootId !== parts.host.bootId())
      this.state = { ...this.state, candidate: { ...candidate, appliedAt: null } }
  }

  /** Puts back what stood, or was about to, before it resolves. What cannot be done now is tried again by `tick`. */
  static async open(parts: PostureParts): Promise<Posture> {
    const posture = new Posture(parts, await parts.file.read())
    await posture.inTurn(() => posture.takeRelease()).catch((thrown: unknown) => posture.complain(thrown))
    const putBack = posture.tick()
    if (!parts.control.isSlow) await putBack
    return posture
  }

  report(): PostureReport {
    const { confirmed, candidate } = this.state
    const { action, type } = confirmed
    // Applied and unconfirmed, it is no longer the confirmed one that stands.
    const stands = (candidate?.appliedAt ?? null) === null ? confirmed.generation : 0
    return { taken: (candidate?.document ?? confirmed).generation, stands, action, type }
  }

  /** What an accepted reply says. Throws where the disk does not take it; that, and what the host refuses, is tried again. */
  take(document: Document): Promise<void> {
    this.ordered = document
    return this.inTurn(() => this.obey())
  }

  private async obey(): Promise<void> {
    const { ordered } = this
    if (ordered === null) return
    await this.takeRelease()
    this.latest = ordered
    const { candidate, confirmed } = this.state
    const isTaken = !this.isFresh && isSame(ordered, candidate?.document ?? confirmed)
    const isBack = !this.isFresh && isSame(ordered, confirmed)
    if (!isTaken) await (isBack ? this.forgetCandidate() : this.adopt(ordered))
    if (this.ordered === ordered) this.ordered = null
    if (isTaken) return this.tellWithdrawn()
    await this.settle()
    await this.flush()
  }

  /** A reply was accepted. Sent after the host was made so, it shows that the channel goes through what stands. */
  answered({ sentAt }: Pick<Answer, 'sentAt'>): Promise<void> {
    return this.inTurn(async () => {
      const { candidate } = this.state
      if ((candidate?.appliedAt ?? null) === null || this.isReverting || !this.isVerified) return
      if (sentAt === null || sentAt <= this.madeAt) return this.parts.syncSoon()
      // It may have come through because somebody had taken the barrier away.
      await this.check()
      if (this.isVerified && sentAt > this.madeAt) await this.stand()
      await this.flush()
    })
  }

  /** The server has another history: it hears again what stands, and what is on its way. */
  newEpoch(): Promise<void> {
    this.isRetelling = true
    return this.inTurn(() => this.retell())
  }

  private async retell(): Promise<void> {
    if (!this.isRetelling) return
    this.withdrawn.forget()
    const { confirmed, since, candidate } = this.state
    const again = succeeded(confirmed, { startedAt: since, endedAt: since })
    await this.write({}, [...again, ...(candidate === null ? [] : startedBy(candidate, null))])
    this.isRetelling = false
    await this.flush()
  }

  /** Once a second, and whenever something has changed: does what is due. */
  tick(): Promise<void> {
    this.looking ??= this.inTurn(async () => {
      this.looking = null
      await this.look()
    }).catch((thrown: unknown) => this.complain(thrown))
    return this.looking
  }

  /** Resolves once what was under way is done. */
  close(): Promise<void> {
    this.isClosed = true
    this.arrange()
    return this.turn
  }

  private async look(): Promise<void> {
    if (isActive(this.wanted)) await this.takeRelease()
    await this.retell()
    await this.obey()
    this.judgeDeadline()
    await this.settle()
    if (this.now - this.checkedAt >= checkEverySeconds) await this.check()
    await this.tellDrift(this.drifts.due(this.now))
    await this.flush()
  }

  private get now(): number {
    return this.parts.host.bootSeconds()
  }

  private get wanted(): Document {
    const { candidate, confirmed } = this.state
    return this.isReverting || candidate === null ? confirmed : candidate.document
  }

  /** One after the other: what is wanted last is made last. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work).finally(() => this.arrange())
    this.turn = done.then(
      () => undefined,
      () => undefined,
    )
    return done
  }

  private arrange(): void {
    const { wanted, latest, parts } = this
    if (!this.isFresh) parts.control.arrange?.(wanted, latest)
    if (isActive(wanted) && !this.isClosed)
      this.unwatch ??= parts.control.watch(() => {
        this.checkedAt = -Infinity
        void this.tick()
      })
    else {
      this.unwatch?.()
      this.unwatch = null
    }
  }

  private async adopt(document: Document): Promise<void> {
    const why = isActive(document) ? await this.parts.whyNot() : null
    if (why !== null) return this.refuse(document, why)
    const candidate = { document, takenAt: this.parts.host.now(), appliedAt: null }
    const started = startedBy(candidate, this.state.confirmed)
    const heard = this.withdrawn.of(document.withdrawn, 'cancel_acknowledged')
    await this.write({ candidate }, [...started, ...heard])
    this.anew()
    killPoint(`${this.parts.control.aspect}-candidate`)
  }

  /** A host that must not stand so stands free, and says why. */
  private async refuse(document: Document, why: string): Promise<void> {
    const { candidate, confirmed } = this.state
    const at = this.parts.host.now()
    const said = this.withdrawn.unheard(failed({ document, takenAt: at, appliedAt: null }, why, at))
    if (!this.isFresh && candidate === null && !isActive(confirmed)) return this.write({}, said)
    await this.write({ confirmed: nothing, since: null, candidate: null }, said)
    this.anew()
  }

  private async forgetCandidate(): Promise<void> {
    await this.write({ candidate: null }, [])
    this.anew()
  }

  /** Something else is wanted than before. */
  private anew(): void {
    this.isFresh = false
    this.isReverting = false
    this.isVerified = false
    this.failures = 0
    this.nextTryAt = -Infinity
  }

  private judgeDeadline(): void {
    const { candidate } = this.state
    if (this.isReverting || candidate === null || candidate.document.passage?.confirm === 'keep') return
    if (candidate.appliedAt === null) return
    if (this.now - candidate.appliedAt.bootSeconds < confirmWithinMs / 1000) return
    this.anew()
    this.isReverting = true
  }

  /** Makes the host stand as is wanted, if it is time to try. */
  private async settle(): Promise<void> {
    if (this.isVerified || this.isFresh || this.now < this.nextTryAt) return
    try {
      await this.make()
    } catch (thrown) {
      return this.notMade(plainly(thrown))
    }
    killPoint(`${this.parts.control.aspect}-applied`)
    await this.made()
    this.isVerified = true
    this.failures = 0
    await this.tellWithdrawn()
  }

  private async make(): Promise<void> {
    const { wanted, parts } = this
    // Where nothing can be made, and never was, there is nothing to be taken away.
    if (!isActive(wanted) && !this.mayHold && (await parts.control.lack()) !== null) return
    this.mayHold = true
    await parts.control.apply(wanted)
    this.madeAt = this.now
    this.checkedAt = this.now
    this.mayHold = isActive(wanted)
  }

  private async made(): Promise<void> {
    const { candidate } = this.state
    if (candidate === null) return
    if (this.isReverting) {
      await this.write({ candidate: null }, failed(candidate, noContact, this.parts.host.now()))
      this.isReverting = false
      return this.parts.syncSoon()
    }
    // What is lifted cuts no device off.
    if (!this.parts.control.needsContact || !isActive(candidate.document)) return this.stand()
    this.parts.syncSoon()
    if (candidate.appliedAt !== null) return
    const appliedAt = { bootId: this.parts.host.bootId(), bootSeconds: this.madeAt }
    // The time runs from here, whether the disk takes it or not.
    this.state = { ...this.state, candidate: { ...candidate, appliedAt } }
    await this.write(this.state, [])
  }

  private async notMade(detail: string): Promise<void> {
    this.failures += 1
    this.nextTryAt = this.now + 1
    const { candidate } = this.state
    if (this.failures === 1) this.parts.log(`the host could not be made to stand as it should: ${detail}`)
    if (candidate === null || this.isReverting || candidate.appliedAt !== null) return
    if (isActive(candidate.document)) {
      if (this.failures <= mostRetries) return
      await this.write({ candidate: null }, failed(candidate, detail, this.parts.host.now()))
      this.anew()
      await this.settle()
      return this.parts.syncSoon()
    }
    if (this.failures < mostRetries) return
    this.nextTryAt = this.now + releaseEverySeconds
    if (this.failures > mostRetries) return
    await this.write({}, notReleased(this.latest?.withdrawn ?? [], detail))
    this.parts.syncSoon()
  }

  private async stand(): Promise<void> {
    const { candidate } = this.state
    if (candidate === null) return
    const { document, takenAt } = candidate
    const since = this.parts.host.now()
    const said = succeeded(document, { startedAt: takenAt, endedAt: since })
    const { latest } = this
    const isLatest = latest !== null && isSame(latest, document)
    const gone = isLatest ? this.withdrawn.of(latest.withdrawn, 'reverted') : []
    await this.write({ confirmed: document, since, candidate: null }, [...said, ...gone])
    killPoint(`${this.parts.control.aspect}-confirmed`)
    this.parts.syncSoon()
  }

  /** To each id of the latest reply what can be said to it now. */
  private async tellWithdrawn(): Promise<void> {
    const { latest, state } = this
    if (latest === null || latest.withdrawn.length === 0) return
    const { candidate, confirmed } = state
    const isTaken = isSame(latest, candidate?.document ?? confirmed)
    const stands = candidate === null && this.isVerified && isSame(latest, confirmed)
    const heard = isTaken ? this.withdrawn.of(latest.withdrawn, 'cancel_acknowledged') : []
    const gone = stands ? this.withdrawn.of(latest.withdrawn, 'reverted') : []
    await this.write({}, [...heard, ...gone])
    await this.flush()
  }

  /** Is what is wanted still there? If not, it is put back. */
  private async check(): Promise<void> {
    if (!this.isVerified || !isActive(this.wanted)) return
    this.checkedAt = this.now
    const difference = await this.parts.control.difference(this.wanted)
    // Lifted on the spot, it is no drift.
    if (difference === null || (await this.takeRelease())) return this.settle()
    this.isVerified = false
    this.nextTryAt = -Infinity
    await this.settle()
    const detail = this.isVerified ? difference : `${difference}; it could not be put back yet`
    await this.tellDrift(this.drifts.found(detail, this.now))
  }

  private async tellDrift(detail: string | null): Promise<void> {
    const { action } = this.wanted
    if (detail === null || action === null) return
    await this.write({}, [{ kind: 'drifted', action, detail }])
    this.parts.syncSoon()
  }

  /** True where somebody has lifted it on the spot: it stands no more, until the next reply. */
  private async takeRelease(): Promise<boolean> {
    const { released } = this.parts
    const found = await released.read()
    if (found === null) return false
    const isNew = found.nonce !== this.state.releasedNonce
    if (isNew) {
      const { generation, action, type } = this.wanted
      const said: News[] =
        action === null || type === 'None' ? [] : [{ kind: 'released', action, generation }]
      const change = { confirmed: nothing, since: null, candidate: null, releasedNonce: found.nonce }
      await this.write(change, said)
      this.anew()
      this.mayHold = true
    }
    await released.remove()
    return isNew
  }

  private async write(change: Partial<PostureState>, news: readonly News[]): Promise<void> {
    if (news.length === 0 && Object.keys(change).length === 0) return
    const toTell = [...(change.toTell ?? this.state.toTell), ...news]
    const next = { ...this.state, ...change, toTell }
    await this.parts.file.write(next)
    this.state = next
    this.withdrawn.said(news)
  }

  private async flush(): Promise<void> {
    const { toTell } = this.state
    if (toTell.length === 0) return
    for (const item of toTell) await this.parts.news.tell(item)
    await this.write({ toTell: [] }, [])
    this.parts.syncSoon()
  }

  private complain(thrown: unknown): void {
    this.parts.log(`how this host stands could not be seen to: ${plainly(thrown)}`)
  }
}
