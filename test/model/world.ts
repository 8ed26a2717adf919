/** A server, a device and the way between them, and whoever watches that promises are kept. */
import type { Reply } from '@countermand/contract'
import type { Host } from '../../packages/agent/src/host/host.ts'
import { makeEnrolmentToken } from '../../packages/server/src/app/enrolment-tokens.ts'
import type { Signer } from '../../packages/server/src/app/ports.ts'
import type { Moment, Rooms } from '../../packages/server/src/app/rows.ts'
import { Clock } from './clock.ts'
import { mostEnrolments } from './crypto.ts'
import { Device, dataFolder } from './device.ts'
import { Disk, DiskError, Folder } from './disk.ts'
import type { Faults } from './faults.ts'
import { Machine } from './machine.ts'
import { Network, bodyOf, type Answered, type Said } from './network.ts'
import { Promises } from './promises.ts'
import { Server, script, type OpenStore } from './server.ts'
import type { Tables } from './tables.ts'
import { Turns, type Pick } from './turns.ts'

export const url = 'http://server.test'

/** How every run begins: a server that has a library, and a device that is enrolled there. */
export interface Given {
  readonly signer: Signer
  /** The device's file. */
  readonly identity: string
  readonly openStore: (moment: () => Moment, alter: (rooms: Rooms) => Rooms) => OpenStore
}

export interface Trouble {
  readonly unkillable: number
  readonly failing: number
  readonly full: number
}

export class World {
  readonly clock = new Clock()
  readonly turns = new Turns()
  readonly disk = new Disk()
  /** What was done and said, to be read where it went wrong. */
  readonly story: string[] = []
  readonly promises: Promises
  readonly machine: Machine
  readonly network: Network
  readonly server: Server
  readonly device: Device
  readonly given: Given
  readonly faults: Faults
  private backup: Tables | null = null
  private token = ''
  /** The one by which the server knows the device now. */
  private usedToken = ''
  private tokens = 0

  constructor(given: Given, faults: Faults = {}) {
    this.given = given
    this.faults = faults
    const { clock, turns, disk } = this
    const note = (line: string): void => void this.story.push(`      ${line}`)
    const promises = new Promises({
      note,
      now: () => clock.now,
      truthOf: (id) => this.machine.truthOf(id),
      isAlive: (id) => this.machine.isAlive(id),
    })
    this.promises = promises
    const { signer } = given
    const openStore = (moment: () => Moment): OpenStore =>
      given.openStore(moment, faults.rooms ?? ((rooms) => rooms))
    const committed = (tables: Tables): void => promises.committed(tables)
    this.server = new Server({ clock, signer, openStore, committed })
    const bootSeconds = (): number => this.bootSeconds()
    this.machine = new Machine({ turns, disk, clock, note, bootSeconds, promises })
    this.network = new Network({
      turns,
      bootSeconds: () => clock.bootSeconds(),
      file: script,
      key: () => this.ownKey(),
      enrol: (jws) => this.enrol(jws),
      arrived: (reply, sentAt) => promises.arrived(reply, sentAt),
    })
    this.device = new Device({
      host: () => this.hostOfNewAgent(),
      log: (line) => note(`agent: ${line}`),
      token: () => (this.isEnrolling() ? this.usedToken : this.token),
      died: () => this.agentIsGone(),
      failed: (why) => this.agentFailed(why),
    })
  }

  /** As the device reads it. */
  bootSeconds(): number {
    return this.faults.bootSeconds?.(this.clock) ?? this.clock.bootSeconds()
  }

  /** Whatever can be done without anybody else's doing, up to so many turns. */
  async work(pick: Pick, most: number): Promise<void> {
    await this.turns.play(most, pick)
  }

  /** A statement reaches the server, wherever it comes from. */
  async ask({ jws, key }: Said): Promise<Answered> {
    const { status, text } = await this.server.sync(jws)
    if (status !== 200) {
      const isRightly = status === 401 && key !== this.promises.keyOfDevice()
      if (!isRightly) this.promises.break(`the server refuses its own device: ${status} ${text}`)
      return { status, text }
    }
    const answer = { status, text, reply: bodyOf(text) as Reply }
    this.network.replies.push(answer)
    this.promises.replied(answer.reply)
    return answer
  }

  /** What the device holds; a folder without an offer is nothing. */
  held(): readonly string[] {
    const journal = `${dataFolder}/journal`
    const folder = this.disk.find(journal)
    const names = folder instanceof Folder ? [...folder.names.keys()] : []
    return names.filter((name) => this.disk.find(`${journal}/${name}/offer.json`) !== null)
  }

  /** The power is cut: nothing lives on, and the disk has what it has. */
  cutPower(pick: Pick): void {
    this.device.kill()
    this.turns.drop('machine')
    this.disk.cut(pick)
    this.promises.lost(this.held().filter((id) => !this.has(id, 'cancel.json')))
    this.machine.reboot()
    this.clock.boot()
  }

  trouble({ unkillable, failing, full }: Trouble): void {
    this.machine.unkillable = unkillable
    this.network.failing = failing
    this.disk.full = full
  }

  /** The agent is started anew, and told to enrol: as long as the last try has not come through, by the same token. */
  async enrolAgain(): Promise<boolean> {
    if (!this.isEnrolling()) {
      if (this.tokens === mostEnrolments) return false
      this.tokens += 1
      const { token } = await makeEnrolmentToken(this.server.app, { server: url, forDevice: null, by: 'ann' })
      this.token = token
    }
    this.device.kill()
    return this.device.start(true)
  }

  /** The server has another key of the device's than the device has. */
  isEnrolling(): boolean {
    return this.usedToken !== '' && this.promises.keyOfDevice() !== this.ownKey()
  }

  async backUp(): Promise<boolean> {
    this.backup = await this.server.tables()
    return true
  }

  async restore(): Promise<boolean> {
    if (this.backup === null) return false
    this.network.loseAll()
    this.promises.forget(this.backup)
    await this.server.restore(this.backup)
    return true
  }

  private ownKey(): string {
    const text = this.disk.file(`${dataFolder}/identity.json`).content.toString()
    return (JSON.parse(text) as { key: { x: string } }).key.x
  }

  private async enrol(jws: string): Promise<Answered> {
    const answer = await this.server.enrol(jws)
    if (answer.status === 200) {
      this.usedToken = this.device.token
      return answer
    }
    // Nobody is to blame for a token that was left lying for a day; the next try takes another one.
    if (answer.text.includes('expired')) this.network.hasLostEnrolment = true
    else this.promises.break(`an enrolment is refused: ${answer.text}`)
    return answer
  }

  private has(id: string, file: string): boolean {
    return this.disk.find(`${dataFolder}/journal/${id}/${file}`) !== null
  }

  private hostOfNewAgent(): Host {
    const taken = this.held().filter((id) => this.has(id, 'cancel.json') && !this.has(id, 'outcome.json'))
    this.promises.resumed(taken)
    return this.machine.host()
  }

  private agentIsGone(): void {
    this.turns.drop('agent')
    this.clock.dropTimers()
    this.network.hangUp()
  }

  private agentFailed(why: unknown): void {
    // Whoever started it starts it again: that is what the script's next start is for.
    if (this.network.hasLostEnrolment || (why instanceof DiskError && why.code === 'ENOSPC')) return
    const words = why instanceof Error ? (why.stack ?? why.message) : String(why)
    this.promises.break(`an agent ended by itself: ${words}`)
  }
}
