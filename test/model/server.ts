/** The server's real work over a store that stands still between the steps of a script. One request is one step. */
import { createHash } from 'node:crypto'
import { enrolDevice } from '../../packages/server/src/app/enrol-device.ts'
import { expireActions } from '../../packages/server/src/app/actions/expire-actions.ts'
import type { App, Signer, Store } from '../../packages/server/src/app/ports.ts'
import type { Moment, Work } from '../../packages/server/src/app/rows.ts'
import { requestLiveResponse } from '../../packages/server/src/app/actions/request-live-response.ts'
import { syncDevice } from '../../packages/server/src/app/sync-device.ts'
import { atOnce, type Action } from '../../packages/server/src/core/action-shape.ts'
import { serverChain } from '../../packages/server/src/core/chain.ts'
import { Refusal, refusalStatus } from '../../packages/server/src/core/errors.ts'
import { cancelLimitMs } from '../../packages/server/src/core/policies.ts'
import { randomIds } from '../../packages/server/src/ids/random.ts'
import { plainCancel } from '../../packages/server/src/testing/given.ts'
import type { Clock } from './clock.ts'
import { digestOf } from './digest.ts'
import type { Answered } from './network.ts'
import type { Tables } from './tables.ts'

/** A store whose committed rows can be looked at as a whole, and that knows two more pieces of work. */
export interface OpenStore extends Store {
  tables(): Promise<Tables>
  force(input: Force): Promise<Action>
  /** Puts rows back from a backup, and tells what follows from that. */
  restore(tables: Tables): Promise<void>
}

export interface Force {
  readonly id: string
  readonly by: string
  readonly comment: string
}

/** An operator attests what the device cannot say, sooner than the server would allow: the model asks what follows. */
export const forceAction: Work<Force, Action> = async ({ actions }, { id, by, comment }, { at }) => {
  const action = await actions.find(id)
  if (action === null) throw new Refusal('ResourceNotFound', id)
  return actions.advance(action, { kind: 'forced', by, comment }, at)
}

/** As `store/restore.ts` has it: an offer may have left after the backup was made. */
export const afterRestore: Work<null, void> = async ({ actions, events }, _, { at, epoch }) => {
  const waiting = (await actions.open()).filter(({ phase }) => phase === 'queued')
  for (const action of waiting) await actions.advance(action, { kind: 'offered' }, at)
  const data = { epoch, offered: waiting.length }
  await events.append(serverChain, { kind: 'server.restored', actor: null, alarm: true, data }, at)
}

export interface ServerParts {
  readonly clock: Clock
  readonly signer: Signer
  readonly openStore: (moment: () => Moment) => OpenStore
  /** After each step: what is committed now. */
  readonly committed: (tables: Tables) => void
}

export const script = Buffer.from('#!/bin/sh\nid\n')
export const scriptSha256 = createHash('sha256').update(script).digest('hex')

/** Fixed, so that one script has one run. */
const deviceId = 'de'.repeat(20)

const nobody = (): never => {
  throw new Error('No script of the model asks for this.')
}

export class Server {
  readonly app: App
  private readonly parts: ServerParts
  private readonly store: OpenStore
  private lastId = 0
  private epochs = 1

  constructor(parts: ServerParts) {
    this.parts = parts
    const { clock, signer } = parts
    const now = (): Date => new Date(clock.now)
    this.store = parts.openStore(() => ({
      at: now(),
      epoch: this.epoch(),
      digest: digestOf,
    }))
    const epoch = (): string => this.epoch()
    this.app = {
      identity: {
        tenantId: 'tenant',
        get epoch() {
          return epoch()
        },
      },
      store: this.store,
      publicUrl: 'http://server.test',
      ca: null,
      signer,
      issuers: { isNamedIn: () => false, authenticate: nobody },
      now,
      digest: digestOf,
      settleWithinMs: 0,
      isolation: { allow: [], confirm: 'revert' },
      addresses: () => ['192.0.2.10'],
      runLimitsMs: {
        LiveResponse: 10 * 60_000,
        CollectInvestigationPackage: 60 * 60_000,
        RunAntiVirusScan: 60 * 60_000,
        StopAndQuarantineFile: 60 * 60_000,
        Isolate: 5 * 60_000,
        Unisolate: 5 * 60_000,
        RestrictCodeExecution: 5 * 60_000,
        UnrestrictCodeExecution: 5 * 60_000,
        Offboard: 5 * 60_000,
        PutFile: 10 * 60_000,
        GetFile: 10 * 60_000,
      },
      putLimit: 1024 ** 2,
      sessions: null,
      policies: {
        cancelPermission: 'any',
        commentMandatory: false,
        plan: 'plan2',
        repeatedAction: 'refuse',
        graceMs: 0,
        quarantinePackaged: false,
        cancelLimitMs,
      },
      ids: { ...randomIds, action: () => this.nextId(), device: () => deviceId },
      bus: { publish: nobody, onWake: nobody, onAction: nobody, onCommit: nobody },
      files: { put: nobody, open: nobody, list: nobody, remove: nobody },
      uploads: {
        alone: nobody,
        offset: nobody,
        append: nobody,
        finish: nobody,
        discard: nobody,
        actions: nobody,
        clear: nobody,
      },
      counters: { take: nobody },
      signIns: { waitMs: nobody, failed: nobody, succeeded: nobody },
      meter: {
        answered: nobody,
        limited: nobody,
        synced: () => undefined,
        connected: nobody,
        expose: nobody,
      },
      tracer: null,
    }
  }

  tables(): Promise<Tables> {
    return this.store.tables()
  }

  sync(jws: string): Promise<Answered> {
    return this.answer(() => syncDevice(this.app, jws, { address: '192.0.2.17', here: null }))
  }

  enrol(jws: string): Promise<Answered> {
    return this.answer(() => enrolDevice(this.app, jws))
  }

  /** Null for a refusal. */
  issue(by: string): Promise<Action | null> {
    const params = [{ key: 'ScriptName', value: 'a.sh' }]
    const commands = [{ type: 'RunScript' as const, params }]
    const who = { machineId: deviceId, caller: by, requestor: by, comment: 'case 1', externalId: null }
    const request = { ...who, ...atOnce, runLimitMs: null, key: null, commands }
    return this.ask(() => requestLiveResponse(this.app, request))
  }

  async cancel(id: string, by: string): Promise<Action | null> {
    const asked = await this.ask(() =>
      this.store.write('requestCancel', { id, by, comment: 'mistake', ...plainCancel }),
    )
    return asked?.refused === null ? asked.action : null
  }

  force(id: string, by: string): Promise<Action | null> {
    return this.ask(() => this.store.force({ id, by, comment: 'it burns' }))
  }

  expire(): Promise<null> {
    return this.ask(async () => {
      await expireActions(this.app)
      return null
    })
  }

  /** What was committed since the backup is forgotten. */
  async restore(backup: Tables): Promise<void> {
    this.epochs += 1
    await this.store.restore(backup)
  }

  private epoch(): string {
    return `epoch-${this.epochs}`
  }

  private async ask<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      return await work()
    } catch (thrown) {
      if (thrown instanceof Refusal) return null
      throw thrown
    } finally {
      this.parts.committed(await this.tables())
    }
  }

  private async answer(work: () => Promise<string>): Promise<Answered> {
    try {
      return { status: 200, text: await work() }
    } catch (thrown) {
      if (thrown instanceof Refusal) return { status: refusalStatus[thrown.code], text: thrown.message }
      throw thrown
    } finally {
      this.parts.committed(await this.tables())
    }
  }

  private nextId(): string {
    this.lastId += 1
    return `00000000-0000-7000-8000-${String(this.lastId).padStart(12, '0')}`
  }
}
