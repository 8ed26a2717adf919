/** A server, a device and the way between them, and whoever watches that promises are kept. */
import { basename } from 'node:path'
import type { Reply } from '@countermand/contract'
import { vi } from 'vitest'
import { sha256Of } from '../../packages/agent/src/transfer.ts'
import { makeEnrolmentToken } from '../../packages/server/src/app/enrol-device.ts'
import type { Moment, Signer } from '../../packages/server/src/app/ports.ts'
import { Clock } from './clock.ts'
import { mostEnrolments } from './crypto.ts'
import { Device, dataFolder } from './device.ts'
import { diskCalls, type DiskCalls } from './disk-calls.ts'
import { Disk, Folder } from './disk.ts'
import type { Faults } from './faults.ts'
import { Machine } from './machine.ts'
import { Network, bodyOf, type Answered, type Said } from './network.ts'
import { Promises } from './promises.ts'
import { told, type Step } from './script.ts'
import { Server, script, type OpenStore } from './server.ts'
import { stage } from './stage.ts'
import type { Tables } from './tables.ts'
import { Turns, type Pick } from './turns.ts'

export const url = 'http://server.test'

/** How every run begins: a server that has a library, and a device that is enrolled there. */
export interface Given {
  readonly signer: Signer
  /** The device's file. */
  readonly identity: string
  readonly openStore: (moment: () => Moment) => OpenStore
  /** Brings a store that begins empty to where it should be; null where it begins there. */
  readonly begin: ((server: Server) => Promise<void>) | null
  readonly faults: Faults
}

interface Trouble {
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
  private readonly given: Given
  private backup: Tables | null = null
  private token = ''
  private tokens = 0
  private thrown = 0

  constructor(given: Given) {
    this.given = given
    const { clock, turns, disk, story } = this
    const bootSeconds = (): number => clock.bootSeconds()
    const note = (line: string): void => void story.push(`      ${line}`)
    this.promises = new Promises({
      note,
      now: () => clock.now,
      truthOf: (id) => this.machine.truthOf(id),
      isAlive: (id) => this.machine.isAlive(id),
    })
    const { promises } = this
    const started = (id: string): void => promises.started(id)
    const bootSecondsOfDevice = (): number => given.faults.bootSeconds?.(clock) ?? clock.bootSeconds()
    this.machine = new Machine({ turns, disk, clock, note, started, bootSeconds: bootSecondsOfDevice, broken: promises.break })
    this.server = new Server({ clock, ...given, committed: (tables) => promises.committed(tables) })
    this.network = new Network({
      turns,
      bootSeconds,
      files: { open: () => script.toString(), keep: sha256Of },
      enrol: (jws) => this.enrol(jws),
      arrived: (reply, sentAt) => promises.arrived(reply, sentAt),
    })
    this.device = new Device({
      host: () => this.machine.host(),
      log: (line) => note(`agent: ${line}`),
      token: () => this.token,
      died: () => this.agentIsGone(),
      failed: (why) => this.agentFailed(why),
    })
  }
