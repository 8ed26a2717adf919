/**
 * One device of a rehearsal: the real agent, whole, with its journal and its keys, over a host and a line that only pretend. What
 * becomes of its actions is decided when their orders come in, before the agent has them.
 */
import { randomUUID } from 'node:crypto'
import { cpSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import {
  aspects,
  devicePaths,
  type Aspect,
  type Posture,
  type Reply,
  type Statement,
} from '@countermand/contract'
import { runAgent, type AgentOptions } from '../agent.ts'
import type { Host } from '../host/host.ts'
import { readIdentity } from '../identity.ts'
import { readTombstone } from '../offboard/tombstone.ts'
import { deviceHost } from './device-host.ts'
import { diceOf, type Dice } from './dice.ts'
import type { Order } from './fate.ts'
import { openFates, type FateParts, type KnownFates } from './fates.ts'
import { pretendHost } from './host.ts'
import { Line, lost, type Asked } from './line.ts'
import type { Moment, Scenario } from './scenarios.ts'
import { pretendScopes, type PretendedScopes } from './scopes.ts'
import type { Truth } from './truth.ts'

export interface DeviceOptions extends Pick<FateParts, 'speed' | 'scenario' | 'isSteady' | 'commentOf'> {
  readonly name: string
  readonly dataFolder: string
  readonly seed: number
  /** To enrol with: as a new device (null), or as one that there is. */
  readonly tokenFor: (machineId: string | null) => Promise<string>
  readonly log: (line: string) => void
}

const lookMs = 50
/** Seconds of the rehearsal: until somebody sees to a device that was copied; how often, and how long, one is away by chance. */
const repairedAfter = 120
const awayEvery = [1200, 3600] as const
const awayFor = [60, 300] as const

export class PretendedDevice {
  private readonly options: DeviceOptions
  private readonly absences: Dice
  private readonly line: Line
  private readonly fates: KnownFates
  private readonly scopes: PretendedScopes
  private readonly host: Host
  /** Until when replies that bring an action are lost. */
  private readonly lostUntil = new Map<string, number>()
  private readonly happened = new Set<string>()
  private readonly timers = new Set<NodeJS.Timeout>()
  private replies = 0
  private leaving = new AbortController()
  private bootId: string = randomUUID()
  /** By which action it was last told to stand, and by which each generation stands. */
  private readonly latest = new Map<Aspect, string | null>()
  private readonly standing = new Map<string, string>()
  private isAnew = false
  private copy: { readonly ended: Promise<void>; readonly leaving: AbortController } | null = null

  constructor(options: DeviceOptions) {
    this.options = options
    this.absences = this.diceFor('absences')
    this.line = new Line({
      dice: this.diceFor('line'),
      heard: (asked, response) => this.heard(asked, response),
    })
    this.fates = openFates({
      ...options,
      dice: this.diceFor('fates'),
      whenHeard: (signal) => this.whenHeard(signal),
    })
    this.scopes = pretendScopes(this.fates)
    this.host = deviceHost({
      ...options,
      fates: this.fates,
      scopes: this.scopes,
      bootId: () => this.bootId,
      standsBy: (aspect, generation) =>
        (generation === null ? this.latest.get(aspect) : this.standing.get(`${aspect} ${generation}`)) ??
        null,
    })
  }

  truths(): ReadonlyMap<string, Truth> {
    return this.fates.truths()
  }

  get isReachable(): boolean {
    return this.line.isUp
  }

  /** Until the signal. What is said of it beyond the server's own words goes to `log`. */
  async live(signal: AbortSignal): Promise<void> {
    if (!this.options.isSteady) this.arrangeAbsence()
    await this.line.through(async () => {
      while (!signal.aborted && !(await this.hasLeft())) await this.once(signal)
    })
    for (const timer of this.timers) clearTimeout(timer)
    this.line.mend()
    this.copy?.leaving.abort()
    await this.copy?.ended
  }

  /** It was offboarded: nobody starts it again. */
  private hasLeft(): Promise<boolean> {
    return readTombstone(this.options.dataFolder).then((tombstone) => tombstone !== null)
  }

  /** Each kind of chance has its own, or how often one is asked would change the others. */
  private diceFor(what: string): Dice {
    return diceOf(this.options.seed, this.options.name, what)
  }

  /** One agent, from its start to its end. */
  private async once(signal: AbortSignal): Promise<void> {
    this.leaving = new AbortController()
    const { signal: leaving } = this.leaving
    leaving.addEventListener('abort', () => this.fates.hurryAll(), { once: true })
    const either = AbortSignal.any([signal, leaving])
    signal.addEventListener('abort', () => this.leaving.abort(), { once: true, signal: leaving })
    try {
      await runAgent(await this.agentOptions(), either)
    } catch (thrown) {
      if (either.aborted) return
      this.options.log(thrown instanceof Error ? thrown.message : String(thrown))
      await pause(1_000, undefined, { signal: either }).catch(() => undefined)
    }
  }

  private async agentOptions(): Promise<AgentOptions> {
    const { dataFolder, tokenFor } = this.options
    const known = await readIdentity(dataFolder)
    const isAnew = this.isAnew && known !== null
    this.isAnew = false
    if (isAnew) await rm(dataFolder, { recursive: true })
    const enrolmentToken = known === null || isAnew ? await tokenFor(known?.machineId ?? null) : null
    return { ...pretending, dataFolder, enrolmentToken, host: this.host, log: this.options.log }
  }

  private async heard({ path, body }: Asked, response: Response): Promise<Response> {
    if (path !== devicePaths.sync) return response
    const { status, headers } = response
    const text = await response.text()
    if (status === 409) this.repair()
    if (response.ok) {
      this.replies += 1
      const [reply, statement]: [Reply, Statement] = [saidIn(text), saidIn(String(body))]
      await this.meet(reply)
      for (const { kind, action } of statement.news)
        if (kind === 'started') this.happens('begun', action, this.fates.of(action))
    }
    return new Response(text, { status, headers })
  }

  /** Before the agent has it. */
  private async meet({ offers, cancels, postures }: Reply): Promise<void> {
    for (const id of cancels) this.fates.hurry(id)
    const scenarios = new Map<string, Scenario>()
    for (const offer of offers) scenarios.set(offer.id, await this.fates.decide(offer.id, offer))
    for (const aspect of aspects) {
      const document = postures[aspect]
      if (document === undefined) continue
      this.latest.set(aspect, document.action)
      if (document.action === null) continue
      this.standing.set(`${aspect} ${document.generation}`, document.action)
      scenarios.set(document.action, await this.fates.decide(document.action, orderOf(aspect, document)))
    }
    for (const [id, scenario] of scenarios) this.happens('ordered', id, scenario)
    for (const [id, { losesReply }] of scenarios) {
      if (losesReply === undefined) continue
      const until = this.lostUntil.get(id) ?? Date.now() + this.ms(losesReply)
      this.lostUntil.set(id, until)
      if (Date.now() < until) await lost()
    }
  }

  /** Once each. */
  private happens(moment: Moment, id: string, { away, loses, device }: Scenario): void {
    if (this.happened.has(`${moment} ${id}`)) return
    this.happened.add(`${moment} ${id}`)
    if (moment === 'ordered' && loses !== undefined) {
      this.line.loss = loses.share
      this.later(loses.seconds, () => (this.line.loss = 0))
    }
    if (away?.from === moment) this.line.cut(this.ms(away.seconds))
    if (device === undefined) return
    if (moment === 'begun') setImmediate(() => this.befalls(device))
    else if (device === 'copied') this.snapshot()
  }

  private befalls(what: NonNullable<Scenario['device']>): void {
    this.options.log(
      `pretended: it is ${what === 'restarts' || what === 'reboots' ? `one that ${what}` : what}`,
    )
    if (what === 'copied') return this.liveTwice()
    if (what === 'reboots') {
      this.scopes.lose()
      this.bootId = randomUUID()
    }
    if (what === 'installed anew') {
      this.scopes.lose()
      this.isAnew = true
    }
    this.leaving.abort()
  }

  private get copyFolder(): string {
    return `${this.options.dataFolder}-copy`
  }

  /** As it is now; nothing of it writes meanwhile, since it waits for this very answer. */
  private snapshot(): void {
    if (this.copy !== null) return
    rmSync(this.copyFolder, { recursive: true, force: true })
    cpSync(this.options.dataFolder, this.copyFolder, { recursive: true })
  }

  /** What it was lives again, beside what it is: two with one identity, until it is repaired. */
  private liveTwice(): void {
    if (this.copy !== null) return
    const leaving = new AbortController()
    const dataFolder = this.copyFolder
    const options = { ...pretending, dataFolder, enrolmentToken: null, log: () => undefined }
    const ended = runAgent({ ...options, host: pretendHost(dataFolder) }, leaving.signal)
      .catch(() => undefined)
      .then(() => rm(dataFolder, { recursive: true, force: true }))
    this.copy = { ended, leaving }
    this.later(repairedAfter, () => this.repair())
  }

  /** The copy is put out of the way, and the device enrols again under its old id. */
  private repair(): void {
    const { copy } = this
    if (copy === null || copy.leaving.signal.aborted) return
    this.later(repairedAfter, () => void this.end(copy))
  }

  private async end(copy: NonNullable<PretendedDevice['copy']>): Promise<void> {
    copy.leaving.abort()
    await copy.ended
    this.copy = null
    this.isAnew = true
    this.leaving.abort()
  }

  private arrangeAbsence(): void {
    const between = ([from, to]: readonly [number, number]): number => from + this.absences() * (to - from)
    this.later(between(awayEvery), () => {
      this.line.cut(this.ms(between(awayFor)))
      this.arrangeAbsence()
    })
  }

  /** Back again, it hears what has become of an order before it begins it. */
  private async whenHeard(signal: AbortSignal): Promise<void> {
    await this.line.whenUp(signal)
    for (const before = this.replies; this.replies === before && !signal.aborted;) await pause(lookMs)
  }

  private ms(seconds: number): number {
    return (seconds * 1000) / this.options.speed
  }

  private later(seconds: number, then: () => void): void {
    this.after(this.ms(seconds), then)
  }

  private after(ms: number, then: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      then()
    }, ms)
    this.timers.add(timer)
  }
}

const pretending = {
  enrolAgain: false,
  server: null,
  caFile: null,
  switchedOff: [],
  allowContainment: true,
  tied: false,
} as const

const orderOf = (aspect: Aspect, { type }: Posture): Order =>
  aspect === 'isolation'
    ? { type: 'Isolate', parameters: { isolation: type } }
    : { type: 'RestrictCodeExecution', parameters: { restriction: type === 'None' ? 'None' : 'Full' } }

/** What it says, whoever has signed it: the agent will see to that. */
const saidIn = (jws: string) => JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString())
