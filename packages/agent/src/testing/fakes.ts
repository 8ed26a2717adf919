/** What stands around the parts of an agent in their tests: a folder, a machine that only thinks it runs scripts, a server's key. */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import {
  messageTypes,
  type Facts,
  type LiveResponseCommand,
  type Offer,
  type Reply,
} from '@countermand/contract'
import { CompactSign, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'
import { hostWith, type Host } from '../host/host.ts'
import { FakeExecution } from './execution.ts'
import { FakeFirewall } from './firewall.ts'
import { ScopeGone, Unkillable, type Found, type Scopes } from '../host/types.ts'

/** In memory where that can be had: everything here is synced to disk a hundred times over, and no power fails in a test. */
const place = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(place, 'countermand-agent-'))
  try {
    await run(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Waits until it is so; a generous while. */
export async function until(what: string, ask: () => unknown): Promise<void> {
  for (const end = performance.now() + 20_000; performance.now() < end; await pause(5)) {
    if (await ask()) return
  }
  throw new Error(`Waited in vain for: ${what}`)
}

export const newId = (): string => randomUUID()

export const offerOf = (id: string, runLimitMs = 600_000): Offer =>
  offerOfCommands(id, [scriptNamed('a.sh', runLimitMs)], runLimitMs)

export const offerOfCommands = (
  id: string,
  commands: readonly LiveResponseCommand[],
  runLimitMs = 600_000,
): Offer => ({ id, type: 'LiveResponse', parameters: { commands: [...commands] }, runLimitMs })

const pinned = { sha256: 'a'.repeat(64), size: 3 }

export const scriptNamed = (scriptName: string, limitMs = 600_000): LiveResponseCommand => ({
  type: 'RunScript',
  scriptName,
  ...pinned,
  args: [],
  asked: null,
  limitMs,
})

export const putOf = (fileName: string, limitMs = 600_000): LiveResponseCommand => ({
  type: 'PutFile',
  fileName,
  ...pinned,
  limitMs,
})

export const getOf = (path: string, limitMs = 600_000): LiveResponseCommand => ({
  type: 'GetFile',
  path,
  limit: 1_000_000,
  limitMs,
})

/** What a device says of itself that knows little. */
export const facts: Facts = {
  hostName: 'ws-1',
  osPlatform: 'Linux',
  osVersion: null,
  osBuild: null,
  osArchitecture: null,
  osProcessor: null,
  version: null,
  agentVersion: '0.1.0',
  ipAddresses: [],
}

/** A reply that orders nothing, but for what is given. */
export const replyOf = (given: Partial<Reply> = {}): Reply => ({
  protocol: 1,
  machineId: 'm'.repeat(40),
  nonce: 'nonce',
  epoch: 'epoch-1',
  seq: 0,
  acknowledged: 0,
  cancels: [],
  starts: [],
  offers: [],
  finals: [],
  posture: null,
  head: { sequence: 0, digest: 'A'.repeat(43) },
  ticket: 'ticket',
  ...given,
})

export interface OrderKey {
  readonly thumbprint: string
  /** `header` replaces what a server would say of itself. */
  sign(payload: object, type?: string, header?: object): Promise<string>
}

export async function makeOrderKey(): Promise<OrderKey> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true })
  const { kty, crv, x } = await exportJWK(publicKey)
  const jwk: JWK = { kty: kty ?? '', crv: crv ?? '', x: x ?? '' }
  return {
    thumbprint: await calculateJwkThumbprint(jwk),
    sign: (payload, type = messageTypes.reply, header = { jwk }) =>
      new CompactSign(Buffer.from(JSON.stringify(payload)))
        .setProtectedHeader({ alg: 'EdDSA', typ: type, ...header })
        .sign(privateKey),
  }
}

interface Scope {
  /** The group is there: made, and not removed. */
  exists: boolean
  /** Something in it lives. */
  isAlive: boolean
  isFrozen: boolean
  folder: string
  starts: number
}

/** A machine: its clock, and scopes in which nothing runs. It outlives the agents that use it. */
export class Machine {
  seconds = 1_000
  bootId = 'boot-1'
  /** How often an end will say that something cannot be killed. */
  unkillable = 0
  /** What is found outside a scope at its end. */
  strays: readonly Found[] = []
  /** What was done with scopes, in order. */
  readonly calls: string[] = []
  readonly firewall = new FakeFirewall()
  readonly execution = new FakeExecution()
  /** Called at the beginning of each of these, for a test to step in. */
  readonly before: Partial<Record<'start' | 'freeze' | 'end', () => Promise<void> | void>> = {}
  private readonly scopes = new Map<string, Scope>()
  private readonly watchers = new Set<() => void>()

  scopeOf(id: string): Scope {
    const scope = this.scopes.get(`scope/${id}`)
    if (scope === undefined) throw new Error(`no scope was ever made for ${id}`)
    return scope
  }

  starts(id: string): number {
    return this.scopes.get(`scope/${id}`)?.starts ?? 0
  }

  isAlive(id: string): boolean {
    return this.scopes.get(`scope/${id}`)?.isAlive ?? false
  }

  /** The script ends by itself, unless it is frozen. */
  async exit(id: string, status: number): Promise<void> {
    const scope = this.scopeOf(id)
    if (scope.isFrozen || !scope.isAlive) return
    await writeFile(join(scope.folder, 'exit'), `${status}\n`)
    scope.isAlive = false
    this.changed()
  }

  /** Everything is gone, and nothing of it says so. */
  reboot(): void {
    this.bootId = `boot-${newId()}`
    this.seconds = 10
    this.calls.push('reboot')
    this.firewall.kernel = null
    this.execution.isRestricted = false
    for (const scope of this.scopes.values())
      Object.assign(scope, { exists: false, isAlive: false, isFrozen: false })
    this.changed()
  }

  /** The host as one agent sees it, by its data folder. */
  host(folder: string): Host {
    return {
      ...hostWith({ scopes: this.asScopes(), firewall: this.firewall, execution: this.execution }, folder),
      interpreterOf: () => Promise.resolve(['/bin/sh']),
      bootSeconds: () => this.seconds,
      bootId: () => this.bootId,
    }
  }

  private changed(): void {
    for (const look of this.watchers) look()
  }

  private asScopes(): Scopes {
    return {
      proof: 'stopped',
      description: 'a machine that runs nothing',
      make: (id) => {
        const path = `scope/${id}`
        const before = this.scopes.get(path)
        if (before !== undefined && before.starts > 0)
          throw new Error(`${path} is made again after its start`)
        const starts = { exists: true, isAlive: false, isFrozen: false, folder: '', starts: 0 }
        this.scopes.set(path, starts)
        this.calls.push('make')
        return Promise.resolve(path)
      },
      start: async (path, { folder }) => {
        await this.before.start?.()
        const scope = this.scopes.get(path)
        if (!scope?.exists) throw new ScopeGone(path)
        this.calls.push('start')
        Object.assign(scope, { isAlive: true, folder, starts: scope.starts + 1 })
      },
      ended: (path, folder, signal) => this.ended(path, folder, signal),
      freeze: async (path) => {
        await this.before.freeze?.()
        this.calls.push('freeze')
        const scope = this.scopes.get(path)
        if (scope?.exists) scope.isFrozen = true
      },
      ask: (path) => {
        this.calls.push('ask')
        const scope = this.scopes.get(path)
        if (scope) Object.assign(scope, { isAlive: false, isFrozen: false })
        this.changed()
        return Promise.resolve()
      },
      exitStatus: (folder) => Promise.resolve(statusIn(folder)),
      end: async (path, _id, { keep = false } = {}) => {
        await this.before.end?.()
        this.calls.push('end')
        if (this.unkillable > 0) {
          this.unkillable -= 1
          throw new Unkillable(path, [{ pid: 7, command: 'dd' }])
        }
        const scope = this.scopes.get(path)
        const killed = scope?.isAlive ? [{ pid: 8, command: 'sh' }] : []
        if (scope) Object.assign(scope, { exists: keep && scope.exists, isAlive: false, isFrozen: false })
        this.changed()
        return { proof: 'stopped', killed, strays: this.strays }
      },
      isAlive: (path) => Promise.resolve(this.scopes.get(path)?.isAlive ?? false),
    }
  }

  private async ended(path: string, folder: string, signal: AbortSignal): Promise<number | null> {
    for (;;) {
      signal.throwIfAborted()
      const status = statusIn(folder)
      if (status !== null) return status
      if (!this.scopes.get(path)?.isAlive) return null
      await new Promise<void>((resolve) => {
        const look = (): void => {
          this.watchers.delete(look)
          signal.removeEventListener('abort', look)
          resolve()
        }
        this.watchers.add(look)
        signal.addEventListener('abort', look)
      })
    }
  }
}

const statusIn = (folder: string): number | null => {
  const text = textOf(join(folder, 'exit'))
  return text === '' ? null : Number(text)
}

export const textOf = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '')
