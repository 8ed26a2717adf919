/** Goes through a database chain by chain, and says of each whether it holds; if not, the first thing that does not. */
import { ChainHead, fits } from '@countermand/contract'
import type { Selectable } from 'kysely'
import { serverChain } from '../core/chain.ts'
import type { ActionRow, ChainRow, DeviceRow, StatementRow } from '../store/schema.ts'
import { checkHeads, checkNews, type Agent } from './agent.ts'
import { checkClaim, checkHead, checkLink, placeOf, startOfChain, type Event } from './chain.ts'
import { Fault, faultOf, parsed } from './fault.ts'
import { Groups, all, nextKey } from './groups.ts'
import { History } from './history.ts'
import { checkKeyOfRow, checkSilenceOfRow, enrolledKey, type DeviceKey } from './keys.ts'
import { Restores } from './restores.ts'
import { checkAction } from './rows.ts'
import type { Snapshot } from './snapshot.ts'
import { Statements } from './statements.ts'

export interface Known {
  readonly agents: readonly Agent[]
  /** Thumbprint of the order key; null where only the database is at hand. */
  readonly orderKey: string | null
  /** What the server says of its own restores is true. */
  readonly isRestored: boolean
  /** Called for each event. */
  readonly tick: () => void
}

export interface Counts {
  readonly events: number
  readonly actions: number
  readonly statements: number
  readonly news: number
}

export interface ChainReport {
  readonly chain: string
  /** The device's; null for what is no device. */
  readonly name: string | null
  readonly counts: Counts
  readonly fault: Fault | null
}

/** Everything that is kept under one device's id, or of the server itself. */
interface Material {
  readonly chain: string
  readonly head: Selectable<ChainRow> | null
  readonly device: Selectable<DeviceRow> | null
  readonly actions: ReadonlyMap<string, Selectable<ActionRow>>
  readonly events: AsyncIterable<Event>
  readonly statements: AsyncIterable<StatementRow>
}

export async function* verify(snapshot: Snapshot, known: Known): AsyncGenerator<ChainReport> {
  const tables = {
    heads: new Groups(snapshot.rows('chains'), ({ chain }) => chain),
    devices: new Groups(snapshot.rows('devices'), ({ id }) => id),
    actions: new Groups(snapshot.rows('actions'), ({ machine_id: id }) => id),
    events: new Groups(snapshot.rows('events'), ({ chain }) => chain),
    statements: new Groups(snapshot.rows('statements'), ({ machine_id: id }) => id),
  }
  const restores = await Restores.in(snapshot, known.isRestored)
  const seen = new Set<string>()
  const next = (): Promise<string | null> => nextKey(Object.values(tables))
  for (let chain = await next(); chain !== null; chain = await next()) {
    seen.add(chain)
    const actions = await all(tables.actions.take(chain))
    const material = {
      chain,
      head: (await all(tables.heads.take(chain)))[0] ?? null,
      device: (await all(tables.devices.take(chain)))[0] ?? null,
      actions: new Map(actions.map((row) => [row.id, row])),
      events: tables.events.take(chain),
      statements: tables.statements.take(chain),
    }
    yield await new Verification(material, { ...known, snapshot, restores }).report()
    // What a fault has left unread.
    await all(tables.events.take(chain))
    await all(tables.statements.take(chain))
  }
  for (const agent of known.agents) {
    if (seen.has(agent.machineId)) continue
    const what = `the agent in ${agent.folder} is device ${agent.machineId}, and nothing is kept of it`
    const counts = { events: 0, actions: 0, statements: 0, news: 0 }
    yield { chain: agent.machineId, name: null, counts, fault: new Fault('missing row', 'devices', what) }
  }
}

const isHead = (value: unknown): value is ChainHead => fits(ChainHead, value)

interface Beside extends Known {
  readonly snapshot: Snapshot
  readonly restores: Restores
}

class Verification {
  private readonly material: Material
  private readonly beside: Beside
  private readonly digests = startOfChain()
  private readonly keys: DeviceKey[] = []
  private readonly history: History
  private readonly statements: Statements
  private newest = 0

  constructor(material: Material, beside: Beside) {
    const { digests, keys } = this
    const { snapshot, restores, orderKey } = beside
    this.material = material
    this.beside = beside
    const findStatement = (digest: string): Promise<StatementRow | null> => snapshot.findStatement(digest)
    this.history = new History({ rows: material.actions, keys, findStatement, restores })
    this.statements = new Statements({ digests, keys, history: this.history, orderKey, restores })
  }

  async report(): Promise<ChainReport> {
    const { chain, device, actions } = this.material
    const fault = await faultOf(() => this.check())
    const counts = {
      events: this.digests.length - 1,
      actions: actions.size,
      statements: this.statements.count,
      news: this.statements.news,
    }
    return { chain, name: device?.name ?? null, counts, fault }
  }

  /**
   * First whether the chain is the one that was given out, then whether what it says is true: of two faults that one cause
   * has, the first names the cause.
   */
  private async check(): Promise<void> {
    const { chain, head, device, statements } = this.material
    const { restores } = this.beside
    const untrue = await this.checkEvents()
    checkHead(this.digests, head)
    const reported = await faultOf(() => this.checkReported())
    if (reported !== null && !restores.areTrue) throw reported
    const { digests, keys } = this
    for (const agent of this.agents) checkHeads(agent, { digests, keys, restores })
    for await (const row of statements) await this.statements.add(row)
    if (reported !== null && !this.isForgotten) throw reported
    if (this.history.contradiction !== null) throw this.history.contradiction
    if (untrue !== null) throw untrue
    this.history.end()
    if (this.statements.fault !== null) throw this.statements.fault
    for (const row of this.material.actions.values()) {
      checkAction(row, this.history.actions.get(row.id), this.newest)
    }
    if (device !== null) {
      checkKeyOfRow(device, this.keys.at(-1))
      checkSilenceOfRow(device, this.history.silence)
      this.statements.end(device)
    } else if (chain !== serverChain) {
      throw new Fault('missing row', 'devices', 'there is no row for the device of this chain')
    }
    for (const agent of this.agents) checkNews(agent, this.statements.said, restores)
  }

  /** Throws where the chain itself is broken; returns the first event that is well chained and not true. */
  private async checkEvents(): Promise<Fault | null> {
    let untrue: Fault | null = null
    for await (const row of this.material.events) {
      this.beside.tick()
      const data = checkLink(this.digests, row)
      this.newest = Math.max(this.newest, row.n)
      if (row.kind === 'device.enrolled') this.enrol(enrolledKey(row, data, this.material.device), row)
      untrue ??= await faultOf(() => this.history.add(row, data))
    }
    return untrue
  }

  /** A key that was enrolled again would make good what was recorded of it before; the server refuses it. */
  private enrol(key: DeviceKey, row: Event): void {
    if (this.keys.some(({ thumbprint }) => thumbprint === key.thumbprint)) {
      throw new Fault(
        'rewritten history',
        placeOf(row),
        'the device had this key before, and no key is enrolled twice',
      )
    }
    this.keys.push(key)
  }

  private get reportedHead(): ChainHead | null {
    const text = this.material.device?.reported_head ?? null
    return text === null ? null : parsed(text, isHead, 'devices: its row')
  }

  private checkReported(): void {
    const head = this.reportedHead
    if (head !== null) checkClaim(this.digests, { head, by: 'the head that the device reported last' })
  }

  /** What the device reported last was the head of a history that a restore has taken away. */
  private get isForgotten(): boolean {
    return this.statements.forgotten.has(this.reportedHead?.digest ?? '')
  }

  private get agents(): readonly Agent[] {
    return this.beside.agents.filter(({ machineId }) => machineId === this.material.chain)
  }
}
