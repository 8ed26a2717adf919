/** One round: something runs, something is taken back, something dies where it was told to and comes again. Then it is judged. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { MachineAction } from '@countermand/contract'
import { isOver } from '../end-to-end/api.ts'
import { beatsIn } from '../end-to-end/beats.ts'
import { groupsOf, identityOf, processesWith } from '../end-to-end/fixture.ts'
import { until } from '../end-to-end/program.ts'
import type { Asked, Said } from './client.ts'
import { judge, type Evidence, type Fault, type FaultKind } from './judge.ts'
import type { Lane, Newcomer } from './lane.ts'
import type { Plan } from './plan.ts'
import { ways, type PointName, type Side } from './points.ts'
import { runsIn, scriptOf } from './script.ts'

export interface Outcome {
  /** It died where it was told to. */
  readonly isHit: boolean
  readonly faults: readonly Fault[]
  /** What was acknowledged, to be looked for again at the very end. */
  readonly actionId: string | null
  readonly file: { readonly fileName: string; readonly sha256: string } | null
  readonly end: MachineAction | null
}

/** Waits longer than this mean that something will never come. */
const foreverMs = 90_000
const mostTries = 100
const betweenTriesMs = 40
/** After the end, what is still to die has this long. */
const graceMs = 3_000

export const playRound = (lane: Lane, plan: Plan): Promise<Outcome> => new Round(lane, plan).play()

/** What stops a round: it has been noted as a fault. */
class Stopped extends Error {}

interface Device {
  readonly machineId: string
  readonly dataFolder: string
}

class Round {
  private readonly lane: Lane
  private readonly plan: Plan
  private readonly here: string
  private readonly faults: Fault[] = []
  private isHit = false
  private isRevived = false
  private isEndSeen = false
  /** Everything has been asked and seen; what has not died by now never will. */
  private overSince: number | null = null
  private file: Outcome['file'] = null
  private actionId: string | null = null
  private end: MachineAction | null = null
  private acknowledged: string | null = null
  private wasAsked = false
  private newcomer: Newcomer | null = null

  constructor(lane: Lane, plan: Plan) {
    this.lane = lane
    this.plan = plan
    this.here = lane.world.scratch(plan.word)
  }

  async play(): Promise<Outcome> {
    let reviving: Promise<void> | null = null
    try {
      const { also } = ways[this.plan.point]
      if (also === 'death before') await this.dieBefore()
      await this.lane.start(this.plan.side, this.plan.point, this.plan.times)
      reviving = this.revive()
      // Waited for below; should it fail before that, it is not to end everything.
      reviving.catch(() => undefined)
      const device = also === 'newcomer' ? await this.enrolNewcomer() : this.lane.world.device
      await this.carryOut(device, reviving)
    } catch (thrown) {
      if (!(thrown instanceof Stopped)) this.fault('untrue', String(thrown))
    } finally {
      this.overSince ??= performance.now()
      await reviving?.catch((thrown: unknown) => this.fault('open', String(thrown)))
      await this.newcomer?.program.leave()
    }
    if (this.faults.length === 0) rmSync(this.here, { recursive: true, force: true })
    const { isHit, faults, actionId, file, end } = this
    return { isHit, faults, actionId, file, end }
  }

  private fault(kind: FaultKind, text: string): void {
    this.faults.push({ kind, text })
  }

  private async carryOut(device: Device, reviving: Promise<void>): Promise<void> {
    const id = this.actionId ?? (await this.issue(device))
    const cancelling = this.plan.ending === 'cancel' && !this.wasAsked ? this.cancelInSeason(id) : null
    cancelling?.catch(() => undefined)
    const end = await this.untilOver(id)
    const then = this.look(device, id)
    await cancelling
    this.overSince = performance.now()
    await reviving
    const later = (await this.told('the action once more', () => this.lane.client.action(id))).body
    this.end = later
    const evidence = { ...then, laterBeats: beatsIn(this.here), end, later, result: await this.result(later) }
    const { acknowledged, wasAsked } = this
    this.faults.push(...judge({ ...evidence, acknowledged, wasAsked }))
    for (const side of ['server', 'agent'] as const)
      if (this.lane.state(side) !== 'runs') this.fault('untrue', `the ${side} has ended by itself`)
  }

  /** What is there in this very moment. */
  private look(
    device: Device,
    id: string,
  ): Pick<Evidence, 'processes' | 'beats' | 'ran' | 'hasGroup' | 'isPut'> {
    const processes = processesWith(this.plan.word)
    const group = join(groupsOf(device.dataFolder) ?? '', id)
    return {
      processes,
      beats: beatsIn(this.here),
      ran: runsIn(this.here),
      hasGroup: existsSync(group),
      isPut: existsSync(join(device.dataFolder, 'put', `${this.plan.word}.sh`)),
    }
  }

  private async result({ id, status }: MachineAction): Promise<Evidence['result']> {
    if (status !== 'Succeeded') return null
    const { status: code, body } = await this.told('the result', () => this.lane.client.result(id))
    return code === 200 ? body : null
  }

  // ── Asking ────────────────────────────────────────────────────────────────────────────────────────────

  /** Asks until there is an answer. One from 500 on is a fault: nothing but a death excuses a server. */
  private async told<T>(what: string, ask: () => Asked<T>): Promise<Said<T>> {
    const said = await until(what, ask, { withinMs: foreverMs, everyMs: 40 }).catch((thrown: unknown) => {
      this.fault('open', String(thrown))
      throw new Stopped()
    })
    if (said.status >= 500) this.fault('untrue', `${what}: ${said.status} ${JSON.stringify(said.body)}`)
    return said
  }

  private unanswered(what: string): never {
    this.fault('open', `${what} was never answered`)
    throw new Stopped()
  }

  private refused(what: string, said: Said<unknown>): never {
    this.fault('untrue', `${what}: ${said.status} ${JSON.stringify(said.body)}`)
    throw new Stopped()
  }

  /** Uploads and issues, as often as it takes; what may have been taken without an answer is looked for first. */
  private async issue({ machineId }: Device): Promise<string> {
    const { word, runMs, point } = this.plan
    const { client } = this.lane
    const fileName = `${word}.sh`
    const stored = await this.told('the upload', () => client.upload(fileName, scriptOf(word)))
    if (stored.status !== 200) this.refused('the upload', stored)
    this.file = { fileName, sha256: stored.body.sha256 }
    const held = (await this.told('the library', () => client.library())).body.value
    if (!held.some(({ sha256 }) => sha256 === stored.body.sha256))
      this.fault('lost', 'the file was answered with 200 and is not there')

    const order = { script: fileName, args: `${this.here} ${word} ${runMs / 1000}`, comment: word }
    for (let tries = 0; tries < mostTries; tries += 1) {
      const said = await client.run(machineId, order)
      if (said !== null && said.status !== 201) this.refused('the issue', said)
      const id = said === null ? await this.found() : said.body.id
      this.actionId = id
      if (id !== null) return id
      if (point === 'issue-committed' && this.isHit)
        this.fault('lost', 'the action was committed and is not there')
      await pause(betweenTriesMs)
    }
    return this.unanswered('the issue')
  }

  /** The action of this round, which nobody was told of. */
  private async found(): Promise<string | null> {
    const { body } = await this.told('the list of actions', () => this.lane.client.actions())
    return body.value.find(({ requestorComment }) => requestorComment === this.plan.word)?.id ?? null
  }

  private async cancelInSeason(id: string): Promise<void> {
    const { cancelFrom } = ways[this.plan.point]
    const hasBegun = (): boolean => runsIn(this.here) !== ''
    const hasDied = (): boolean => this.isHit || this.isEndSeen || this.overSince !== null
    if (cancelFrom !== 'issue' || this.plan.cancelWaits) {
      const isTime = cancelFrom === 'death' ? hasDied : () => hasBegun() || hasDied()
      await until('the season of the cancel', isTime, { everyMs: 15 }).catch(() => undefined)
    }
    await pause(this.plan.cancelAfterMs)
    await this.cancel(id).catch((thrown: unknown) => {
      if (!(thrown instanceof Stopped)) throw thrown
    })
  }

  private async cancel(id: string): Promise<void> {
    const { client } = this.lane
    const { word, point } = this.plan
    this.wasAsked = true
    for (let tries = 0; tries < mostTries; tries += 1) {
      const said = await client.cancel(id, word, this.plan.graceSeconds)
      if (said?.status === 200) {
        this.acknowledged = word
        if (said.body.cancellationComment !== word) this.fault('lost', 'the answer to the cancel lacks it')
        return
      }
      // It has ended already, and says so.
      if (said?.status === 400) return
      if (said !== null) this.refused('the cancel', said)
      const now = await this.told('the action after the cancel', () => client.action(id))
      await pause(betweenTriesMs)
      if (point !== 'cancel-committed' || !this.isHit) continue
      if (now.body.cancellationComment === word) this.acknowledged = word
      else if (!(await this.wasDenied(id))) this.fault('lost', 'the cancel was committed and is not there')
      return
    }
    this.unanswered('the cancel')
  }

  /** The action had ended before: that its cancel was refused is what was committed. */
  private async wasDenied(id: string): Promise<boolean> {
    const { body } = await this.told('the events', () => this.lane.client.events(id))
    return body.value.some(({ kind }) => kind === 'action.cancel_denied')
  }

  private async untilOver(id: string): Promise<MachineAction> {
    let last: Said<MachineAction> | null = null
    await until(
      `the end of ${id}`,
      async () => {
        last = (await this.lane.client.action(id)) ?? last
        return last !== null && (last.status !== 200 || isOver(last.body))
      },
      { withinMs: foreverMs },
    ).catch(() => {
      this.fault('open', `no end: ${JSON.stringify(last)}`)
      throw new Stopped()
    })
    const { status, body } = await this.told('the end', () => this.lane.client.action(id))
    this.isEndSeen = true
    if (status === 200) return body
    this.fault('lost', `the action is not there any more: ${status} ${JSON.stringify(body)}`)
    throw new Stopped()
  }

  // ── Dying ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Starts again what has died; and at the end what was told to, and did not. */
  private async revive(): Promise<void> {
    const { side, deadMs } = this.plan
    this.isHit = await this.hasDied(side)
    if (this.isHit) await pause(deadMs)
    await this.lane.start(side, null)
    this.isRevived = true
  }

  private async hasDied(side: Side): Promise<boolean> {
    for (;;) {
      const state = this.lane.state(side)
      if (state === 'died') return true
      if (state === 'ended') this.fault('untrue', `the ${side} has ended by itself`)
      if (state === 'ended') return false
      if (this.overSince !== null && performance.now() - this.overSince > graceMs) return false
      await pause(20)
    }
  }

  /** The agent dies over the offer, and the cancel comes while it is dead. */
  private async dieBefore(): Promise<void> {
    const before: PointName = 'offer-journalled'
    await this.lane.start('agent', before)
    const id = await this.issue(this.lane.world.device)
    await until('the agent to die over the offer', () => this.lane.state('agent') === 'died', {
      withinMs: foreverMs,
    })
    await this.cancel(id)
  }

  /** A device enrols, its server dies over it, and it asks again with the same token. */
  private async enrolNewcomer(): Promise<Device> {
    const { client } = this.lane
    const before = (await this.told('the machines', () => client.machines())).body.value.length
    const token = (await this.told('the token', () => client.enrolmentToken())).body.enrolmentToken
    const newcomer = this.lane.newcomer(`newcomer-${this.plan.round}`, token)
    this.newcomer = newcomer
    const { program } = newcomer
    try {
      await until(
        'the newcomer to be connected',
        () => {
          if (/^connected/m.test(program.output())) return true
          const isIdle = !isRunning(newcomer)
          if (isIdle && (program.output() === '' || this.isRevived)) program.start()
          return false
        },
        { withinMs: foreverMs },
      )
    } catch (thrown) {
      this.fault('open', `${String(thrown)}: ${program.output()}`)
      throw new Stopped()
    }
    const after = (await this.told('the machines', () => client.machines())).body.value
    if (after.length !== before + 1) this.fault('untrue', `${after.length - before} devices for one token`)
    const { machineId } = identityOf(newcomer.dataFolder)
    if (!after.some(({ id }) => id === machineId)) this.fault('lost', 'the device is not known any more')
    return { machineId, dataFolder: newcomer.dataFolder }
  }
}

function isRunning({ program }: Newcomer): boolean {
  try {
    return program.pid > 0
  } catch {
    return false
  }
}
