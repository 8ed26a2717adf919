/** A server, a device and the way between them, and whoever watches that promises are kept. */
import { basename } from 'node:path'
import type { Reply } from '@countermand/contract'
import { vi } from 'vitest'
import type { Moment, Signer } from '../../packages/server/src/app/ports.ts'
import { Clock } from './clock.ts'
import { Device, dataFolder } from './device.ts'
import { diskCalls, type DiskCalls } from './disk-calls.ts'
import { Disk, Folder } from './disk.ts'
import { Machine } from './machine.ts'
import { Network, bodyOf, type Answered } from './network.ts'
import { Promises } from './promises.ts'
import { sha256Of } from '../../packages/agent/src/transfer.ts'
import { Server, script, type OpenStore } from './server.ts'
import { stage, type OpenReply } from './stage.ts'
import { Turns, type Pick } from './turns.ts'

/** How every run begins: a server that has a library, and a device that is enrolled there. */
export interface Given {
  readonly signer: Signer
  readonly machineId: string
  /** The device's file. */
  readonly identity: string
  readonly openStore: (moment: () => Moment) => OpenStore
  readonly faults?: Faults
}

/** What is wrong on purpose, to see it found. */
export interface Faults {
  readonly openReply?: OpenReply
  readonly world?: (world: World) => void
}

export class World {
  readonly clock = new Clock()
  readonly turns = new Turns()
  readonly disk = new Disk()
  readonly promises: Promises
  readonly machine: Machine
  readonly network: Network
  readonly server: Server
  readonly device: Device
  /** What was done and said, to be read where it went wrong. */
  readonly story: string[] = []
  private readonly given: Given
  private thrown = 0

  constructor(given: Given) {
    this.given = given
    const { clock, turns, disk } = this
    this.promises = new Promises({
      now: () => clock.now,
      bootSeconds: () => clock.bootSeconds(),
      truthOf: (id) => this.machine.truthOf(id),
      isAlive: (id) => this.machine.isAlive(id),
    })
    const { promises } = this
    this.machine = new Machine({ clock, turns, disk, started: (id) => promises.started(id), broken: promises.break })
    this.server = new Server({ clock, ...given, committed: (tables) => promises.committed(tables) })
    this.network = new Network({
      turns,
      bootSeconds: () => clock.bootSeconds(),
      files: { open: () => script.toString(), keep: sha256Of },
      enrol: (jws) => this.server.enrol(jws),
      arrived: (reply, sentAt) => promises.arrived(reply, sentAt),
    })
    this.device = new Device({
      host: () => this.machine.host(),
      log: (line) => this.story.push(`    agent: ${line}`),
      died: () => this.agentIsGone(),
      failed: (why) => promises.break(`an agent ended by itself: ${String(why)}`),
    })
  }

  /** Lets the script run in this world, and nothing of it outlive that. */
  async during(run: () => Promise<void>): Promise<void> {
    const { clock, network, device } = this
    stage.outside = {
      disk: this.watched(diskCalls(this.disk, this.turns)),
      exists: (path) => this.disk.find(path) !== null,
      bootSeconds: () => clock.bootSeconds(),
      bootId: () => `boot-${this.machine.boots}`,
      randomBytes: (size) => this.dice(size),
      pause: (ms, signal) => this.pause(ms, signal),
      openReply: this.given.faults?.openReply ?? null,
    }
    vi.stubGlobal('fetch', network.fetch)
    vi.stubGlobal('Date', clock.Date)
    vi.stubGlobal('setTimeout', (fire: () => void, ms: number) => clock.set(ms, fire))
    vi.stubGlobal('setInterval', (fire: () => void, ms: number) => clock.set(ms, fire, true))
    vi.stubGlobal('clearTimeout', (id: number) => clock.clear(id))
    vi.stubGlobal('clearInterval', (id: number) => clock.clear(id))
    const { timeout } = AbortSignal
    const { random } = Math
    // Not spied on: a spy would remember every call.
    AbortSignal.timeout = (ms) => this.timeout(ms)
    Math.random = () => 0.5
    try {
      this.disk.put(`${dataFolder}/identity.json`, this.given.identity)
      this.given.faults?.world?.(this)
      await run()
    } finally {
      device.kill()
      AbortSignal.timeout = timeout
      Math.random = random
      vi.unstubAllGlobals()
      stage.outside = null
    }
  }

  /** Everything that can be done without anybody else's doing. */
  play(pick: Pick, most = Number.POSITIVE_INFINITY): Promise<boolean> {
    return this.turns.play(most, pick)
  }

  /** A statement reaches the server, wherever it comes from. */
  async ask(jws: string): Promise<Answered> {
    const { status, text } = await this.server.sync(jws)
    if (status !== 200) {
      this.promises.break(`the server refuses its own device: ${status} ${text}`)
      return { status, text }
    }
    const answer = { status, text, reply: bodyOf<Reply>(text) }
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
  cut(pick: Pick): void {
    this.device.kill()
    this.turns.drop('machine')
    this.disk.cut(pick)
    this.machine.reboot()
    this.clock.boot()
  }

  private agentIsGone(): void {
    this.turns.drop('agent')
    this.clock.dropTimers()
    this.network.hangUp()
  }

  private dice(size: number): Buffer {
    this.thrown += 1
    const bytes = Buffer.alloc(size)
    bytes.writeUInt32BE(this.thrown, size - 4)
    return bytes
  }

  private pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.clock.set(ms, resolve)
      signal?.addEventListener('abort', () => {
        this.clock.clear(timer)
        reject(signal.reason)
      })
      if (signal?.aborted) reject(signal.reason)
    })
  }

  private timeout(ms: number): AbortSignal {
    const over = new AbortController()
    this.clock.set(ms, () => over.abort(new DOMException('time is up', 'TimeoutError')))
    return over.signal
  }

  /** Shows the two files that matter to the promises: the start file, and the one that says that a reply is obeyed. */
  private watched(calls: DiskCalls): DiskCalls {
    const draftedAt = new Map<string, number>()
    return {
      ...calls,
      open: (path, flags) => {
        // Here the agent has just made up its mind; that it takes a while to reach the disk changes nothing.
        if (flags === 'wx') draftedAt.set(path, this.clock.bootSeconds())
        return calls.open(path, flags)
      },
      link: async (from, to) => {
        await calls.link(from, to)
        const { verdict } = JSON.parse(this.disk.file(to).content.toString()) as { verdict?: string }
        if (basename(to) === 'verdict.json' && verdict === 'start')
          this.promises.decided(to.split('/').at(-2) ?? '', draftedAt.get(from) ?? Number.NaN)
      },
      rename: async (from, to) => {
        await calls.rename(from, to)
        if (!/^sync-/.test(basename(to))) return
        const { pending } = JSON.parse(this.disk.file(to).content.toString()) as { pending: unknown }
        if (pending === null) this.promises.obeyed()
      },
    }
  }
}


