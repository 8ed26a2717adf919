/** The machine under an agent: scopes in which scripts run, and what has really happened to each. It outlives agents. */
import { join } from 'node:path'
import { hostWith, type Host } from '../../packages/agent/src/host/host.ts'
import { FakeExecution } from '../../packages/agent/src/testing/execution.ts'
import { FakeFirewall } from '../../packages/agent/src/testing/firewall.ts'
import { ScopeGone, Unkillable, type Ended, type Scopes } from '../../packages/agent/src/host/types.ts'
import type { Clock } from './clock.ts'
import { dataFolder } from './device.ts'
import { SimulatedFile, type Disk } from './disk.ts'
import type { Turns } from './turns.ts'

interface Scope {
  /** Made, and not removed. */
  exists: boolean
  isFrozen: boolean
  script: boolean
  /** What the script has left running. */
  child: boolean
  folder: string
}

/** What has really happened to an action's script, whatever anybody says. */
export interface Truth {
  starts: number
  /** Its exit status, by its own end. */
  exited: number | null
  /** It was ended from outside: by the agent or by a power cut, which may also have taken its exit status from the disk. */
  wasEnded: boolean
}

export interface MachineParts {
  readonly clock: Clock
  readonly turns: Turns
  readonly disk: Disk
  readonly note: (line: string) => void
  readonly bootSeconds: () => number
  readonly promises: {
    /** Called at the very instant at which a script begins. */
    started(id: string): void
    /** A rule was broken. */
    break(rule: string): void
  }
}

const idIn = (path: string): string => path.replace('scope/', '')

export class Machine {
  /** How many ends will say that something cannot be killed. */
  unkillable = 0
  readonly truths = new Map<string, Truth>()
  private boots = 1
  private readonly parts: MachineParts
  private readonly scopes = new Map<string, Scope>()

  constructor(parts: MachineParts) {
    this.parts = parts
  }

  truthOf(id: string): Truth {
    return this.truths.get(id) ?? { starts: 0, exited: null, wasEnded: false }
  }

  isAlive(id: string): boolean {
    const scope = this.scopes.get(`scope/${id}`)
    return scope !== undefined && (scope.script || scope.child)
  }

  /** Something of it executes now. */
  executes(id: string): boolean {
    return this.isAlive(id) && this.scopes.get(`scope/${id}`)?.isFrozen === false
  }

  /** Scripts that could end now by themselves. */
  running(): readonly string[] {
    return [...this.truths.keys()].filter((id) => this.executes(id))
  }

  /** A script ends by itself, and what it has left, if that is all there is. False where it cannot. */
  exit(id: string, status: number, leavesChild: boolean): boolean {
    const scope = this.scopes.get(`scope/${id}`)
    if (scope === undefined || !this.executes(id)) return false
    const isScript = scope.script
    this.parts.note(
      `machine: ${isScript ? 'the script' : 'what is left'} of action ${Number(id.slice(-12))} ends`,
    )
    if (isScript) {
      this.truths.set(id, { ...this.truthOf(id), exited: status })
      const folder = this.parts.disk.find(scope.folder)
      if (folder !== null) this.write(join(scope.folder, 'exit'), `${status}\n`)
    }
    Object.assign(scope, { script: false, child: isScript && leavesChild })
    return true
  }

  /** The power is cut, and comes back; the disk is what it is by then. */
  reboot(): void {
    this.boots += 1
    for (const [path, scope] of this.scopes) {
      const id = idIn(path)
      const truth = this.truthOf(id)
      if (scope.script) this.truths.set(id, { ...truth, wasEnded: true })
      else if (truth.exited !== null && this.statusIn(scope.folder) === null)
        this.truths.set(id, { ...truth, wasEnded: true })
      Object.assign(scope, { exists: false, isFrozen: false, script: false, child: false })
    }
  }

  bootId(): string {
    return `boot-${this.boots}`
  }

  host(): Host {
    const facts = { hostName: 'ws-1', osPlatform: 'Linux', osVersion: null, osBuild: null }
    const more = { osArchitecture: '64-bit', osProcessor: 'x64', version: '12', ipAddresses: [] }
    return {
      ...hostWith(
        { scopes: this.asScopes(), firewall: new FakeFirewall(), execution: new FakeExecution() },
        dataFolder,
      ),
      readFacts: () => Promise.resolve({ ...facts, ...more }),
      isThisHost: () => Promise.resolve(false),
      interpreterOf: () => Promise.resolve(['/bin/sh']),
      bootSeconds: this.parts.bootSeconds,
      bootId: () => this.bootId(),
      now: () => new Date(this.parts.clock.now).toISOString(),
    }
  }

  private write(path: string, content: string): void {
    const { disk } = this.parts
    const file = disk.find(path)
    const made = file instanceof SimulatedFile ? file : disk.create(path)
    made.content = Buffer.from(content)
  }

  private asScopes(): Scopes {
    const { turns } = this.parts
    return {
      proof: 'stopped',
      description: 'simulated scopes',
      make: (id) => turns.take(`make ${id}`, () => this.make(id)),
      start: (path, { folder }) => this.start(path, folder),
      ended: (path, folder, signal) => this.ended(path, folder, signal),
      freeze: (path) =>
        turns.take('freeze', () => {
          const scope = this.scopes.get(path)
          if (scope?.exists) scope.isFrozen = true
        }),
      ask: () => Promise.reject(new Error('No script of the model gives time.')),
      exitStatus: (folder) => turns.take('exit status', () => this.statusIn(folder)),
      end: (path, _id, options) => turns.take('end', () => this.end(path, options?.keep ?? false)),
      isAlive: (path) => turns.take('is alive', () => this.isAlive(idIn(path))),
    }
  }

  private make(id: string): string {
    const path = `scope/${id}`
    if (this.truthOf(id).starts > 0)
      this.parts.promises.break(`a scope is made again after a start in it: ${id}`)
    if (!this.scopes.get(path)?.exists)
      this.scopes.set(path, { exists: true, isFrozen: false, script: false, child: false, folder: '' })
    return path
  }

  /** The wrapper is sent off by the agent, and goes its own way from there, even if the agent dies. */
  private async start(path: string, folder: string): Promise<void> {
    const { turns, note, promises } = this.parts
    const enter = (): void => {
      const scope = this.scopes.get(path)
      if (!scope?.exists) throw new ScopeGone(path)
      const truth = this.truthOf(idIn(path))
      this.truths.set(idIn(path), { ...truth, starts: truth.starts + 1 })
      Object.assign(scope, { script: true, folder })
      note(`machine: the script of action ${Number(path.slice(-12))} runs`)
      promises.started(idIn(path))
    }
    await turns.take('launch', () => turns.take('enter the scope', enter, 'machine'))
  }

  private ended(path: string, folder: string, signal: AbortSignal): Promise<number | null> {
    const isOver = (): boolean =>
      signal.aborted || this.statusIn(folder) !== null || !this.isAlive(idIn(path))
    return this.parts.turns.when('seen to be over', isOver, () => {
      signal.throwIfAborted()
      return this.statusIn(folder)
    })
  }

  private end(path: string, keep: boolean): Ended {
    const scope = this.scopes.get(path)
    const alive = this.isAlive(idIn(path))
    if (alive && this.unkillable > 0) {
      this.unkillable -= 1
      throw new Unkillable(path, [{ pid: 7, command: 'dd' }])
    }
    if (scope?.script) this.truths.set(idIn(path), { ...this.truthOf(idIn(path)), wasEnded: true })
    if (scope !== undefined)
      Object.assign(scope, { exists: keep && scope.exists, isFrozen: false, script: false, child: false })
    return { proof: 'stopped', killed: alive ? [{ pid: 8, command: 'sleep' }] : [], strays: [] }
  }

  private statusIn(folder: string): number | null {
    const file = this.parts.disk.find(join(folder, 'exit'))
    return file instanceof SimulatedFile && file.content.length > 0 ? Number(file.content.toString()) : null
  }
}
