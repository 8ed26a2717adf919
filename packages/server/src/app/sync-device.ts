/** Delivery: news in, orders out. One signed exchange is one transaction (`docs/protocol.md`). */
import {
  Statement,
  canonical,
  fits,
  aspectOf,
  aspects,
  isRunType,
  isSpoken,
  maxOffersPerReply,
  messageTypes,
  protocolVersion,
  type Aspect,
  type NewsItem,
  type Offer,
  type Phase,
  type PostureReport,
  type Postures,
  type Reply,
} from '@countermand/contract'
import type { Action } from '../core/action-shape.ts'
import { isOpen, isOutstanding, isUndelivered, ownerOf } from '../core/action.ts'
import { contradicts, judge, portrayed, taken, whySilent, type Device } from '../core/device.ts'
import { Refusal } from '../core/errors.ts'
import { deviceNotes } from '../core/history.ts'
import { isFarewell } from '../core/offboard.ts'
import {
  based,
  documentOf,
  firstStances,
  fold,
  heard,
  type Stances,
  type Surroundings,
} from '../core/posture.ts'
import { ticketFor } from './device-tickets.ts'
import { seeOff } from './see-off-device.ts'
import type { App } from './ports.ts'
import type { Cause, Moment, Rooms, Work } from './rows.ts'
import type { SyncResult } from './telemetry.ts'

/** By which way a statement came. */
export interface Way {
  /** Of the device. */
  readonly address: string
  /** Of this server, as the device has reached it; null where something stands between them. */
  readonly here: string | null
}

type Orders = Omit<Reply, 'protocol' | 'machineId' | 'nonce' | 'epoch' | 'ticket'>

/**
 * Takes a device's statement and answers with its orders, signed over the statement's nonce.
 * @throws Refusal Unauthorized for a statement that is not what it should be; Conflict for a device with two histories.
 */
export async function syncDevice(app: App, jws: string, way: Way): Promise<string> {
  try {
    const reply = await exchange(app, jws, way)
    app.meter.synced('taken')
    return reply
  } catch (thrown) {
    app.meter.synced(resultOf(thrown))
    throw thrown
  }
}

function resultOf(thrown: unknown): SyncResult {
  if (!(thrown instanceof Refusal)) return 'failed'
  return thrown.code === 'Conflict' ? 'conflict' : thrown.code === 'ServiceUnavailable' ? 'failed' : 'refused'
}

async function exchange(app: App, jws: string, way: Way): Promise<string> {
  const message = await app.signer.verifyDevice(jws, messageTypes.statement, (id) => keyOf(app, id))
  if (message === null || !fits(Statement, message.payload)) {
    throw new Refusal('Unauthorized', 'The statement is not signed by a device that is enrolled here.')
  }
  const statement = message.payload
  refuseUnspoken(statement.protocol)
  if (statement.server !== app.signer.orderThumbprint) {
    throw new Refusal('Unauthorized', 'The statement is addressed to another server.')
  }
  const cause = { digest: app.digest(jws), seq: statement.seq, jws }
  const around = { ...app.isolation, server: [...app.addresses(way.here)] }
  const exchanged = { statement, cause, keyThumbprint: message.thumbprint, address: way.address, around }
  const orders = await app.store.write('takeStatement', exchanged)
  if (orders === null) {
    throw new Refusal(
      'Conflict',
      'This device has two histories: it was copied or rolled back, and must enrol again.',
    )
  }
  const { machineId, nonce } = statement
  const { epoch } = app.identity
  const ticket = ticketFor(app, machineId, message.thumbprint)
  const reply: Reply = { protocol: protocolVersion, machineId, nonce, epoch, ticket, ...orders }
  return app.signer.signOrder(reply, messageTypes.reply)
}

/** @throws Refusal ClientVersionNotSupported for a device that is too far behind, or ahead. */
export function refuseUnspoken(protocol: number): void {
  if (isSpoken(protocol)) return
  const text = `Protocol ${protocol} is not spoken here; this server speaks ${protocolVersion}. Update the older of the two.`
  throw new Refusal('ClientVersionNotSupported', text)
}

const keyOf = async (app: App, id: string): Promise<Device['key']> =>
  (await app.store.read('device', id))?.key ?? null

interface Taken {
  readonly statement: Statement
  readonly cause: Cause
  readonly keyThumbprint: string
  readonly address: string
  readonly around: Surroundings
}

/** The orders; null for a device whose statements contradict each other. */
export const takeStatement: Work<Taken, Orders | null> = (rooms, exchanged, moment) =>
  new Exchange(rooms, moment, exchanged).take(exchanged.keyThumbprint, exchanged.address)

/** One statement inside its transaction. */
class Exchange {
  private readonly rooms: Rooms
  private readonly moment: Moment
  private readonly at: Date
  private readonly statement: Statement
  private readonly cause: Cause
  private readonly around: Surroundings
  /** The offboarding by which it has left with this very statement. */
  private farewell: string | null = null
  private stances: Stances = firstStances

  constructor(rooms: Rooms, moment: Moment, { statement, cause, around }: Taken) {
    this.rooms = rooms
    this.moment = moment
    this.at = moment.at
    this.statement = statement
    this.cause = cause
    this.around = around
  }

  async take(keyThumbprint: string, address: string): Promise<Orders | null> {
    const { devices } = this.rooms
    const device = await devices.find(this.statement.machineId)
    if (device === null || device.keyThumbprint !== keyThumbprint) {
      throw new Refusal('Unauthorized', 'The key of this device is no longer valid.')
    }
    const silent = whySilent(device)
    if (silent !== null) throw new Refusal('Unauthorized', silent)
    this.stances = device.stances
    switch (judge(device.order, { ...this.statement, digest: this.cause.digest }, this.isFromBefore())) {
      case 'replay':
      case 'late':
        return this.ordersFor(device)
      case 'forked':
        return this.fork(device, 'statement')
      case 'take': {
        const next = await this.news(device)
        if (next === null) return this.fork(device, 'news')
        await this.compareHeads(device)
        const { serverHead: reportedHead } = this.statement
        const portrait = { ...this.portrait(device, address), reportedHead, lastSeen: this.at }
        if (this.farewell !== null) return this.seeOff(device, { ...next, ...portrait }, this.farewell)
        await this.settle(device)
        await this.settleStances(device)
        const { stances } = this
        await devices.save({ ...next, ...portrait, stances }, device)
        return this.ordersFor({ ...next, stances })
      }
    }
  }

  private async seeOff(before: Device, now: Device, action: string): Promise<Orders> {
    const { rooms, at, cause } = this
    return this.ordersFor(await seeOff(rooms, { before, now, action, at, cause }))
  }

  /** The device last heard a server of another epoch, or does not say of which: this one may have been restored since, and have forgotten things. */
  private isFromBefore(): boolean {
    return this.statement.epoch !== this.moment.epoch
  }

  private portrait(device: Device, address: string): Partial<Device> {
    const { facts, capabilities, progress = null } = this.statement
    return { ...portrayed(device, facts, this.at), capabilities, progress, lastAddress: address }
  }

  /** The device keeps the head of our history: one that was cut off or rewritten shows here. Told once for each head. */
  private async compareHeads(device: Device): Promise<void> {
    const { serverHead: reported } = this.statement
    if (reported === null || !contradicts(device.head, reported)) return
    if (device.reportedHead?.digest === reported.digest) return
    const data = { reported, here: device.head }
    const note = { kind: 'device.history_contradicted', actor: null, alarm: true, data }
    await this.rooms.events.append(device.id, note, this.at, this.cause)
  }

  private async fork(device: Device, where: string): Promise<null> {
    if (device.order.forked) return null
    const data = { where, seq: this.statement.seq, taken: device.order.seq, digest: this.cause.digest }
    const note = { kind: 'device.cloned', actor: null, alarm: true, data }
    await this.rooms.devices.save({ ...device, order: { ...device.order, forked: true } }, device)
    await this.rooms.events.append(device.id, note, this.at, this.cause)
    return null
  }

  /** Applies what is new, in the device's own order. Null, and nothing applied, when its chain of news does not hold. */
  private async news(device: Device): Promise<Device | null> {
    const { newsHead } = this.statement
    const isAhead = this.isFromBefore() && newsHead.sequence > device.order.news
    let [news, newsDigest] = isAhead
      ? [newsHead.sequence, newsHead.digest]
      : [device.order.news, device.order.newsDigest]
    const fresh = this.statement.news.filter(({ n }) => n > news)
    for (const item of fresh) {
      if (item.n !== news + 1 || item.previous !== newsDigest) return null
      news = item.n
      newsDigest = this.moment.digest(canonical(item))
    }
    for (const item of fresh) await this.apply(device, item)
    if (fresh.length > 0 || isAhead) await this.rooms.events.keep(device.id, this.cause, this.at)
    const order = { ...taken(device.order, this.statement.seq, this.cause.digest), news, newsDigest }
    return { ...device, order }
  }

  private async apply(device: Device, item: NewsItem): Promise<void> {
    const { n, at, action: id, previous: _previous, ...said } = item
    if (said.kind === 'drifted' || said.kind === 'released') {
      const { kind, ...words } = said
      const note = {
        kind: deviceNotes[kind],
        actor: null,
        alarm: true,
        data: { n, at, action: id, ...words },
      }
      await this.rooms.events.append(device.id, note, this.at, this.cause)
      return
    }
    const action = await this.rooms.actions.find(id)
    if (action?.machineId === device.id) {
      const now = await this.rooms.actions.advance(action, said, this.at, this.cause)
      if (isFarewell(action, now)) this.farewell = id
      const aspect = aspectOf(now.type)
      if (aspect !== null && isOpen(action) && now.phase === 'succeeded')
        this.stances = { ...this.stances, [aspect]: based(this.stances[aspect], now) }
      return
    }
    // Acknowledged all the same, or the device would say it for ever; and looked into.
    const note = {
      kind: 'device.unknown_action',
      actor: null,
      alarm: true,
      data: { n, at, action: id, said: said.kind },
    }
    await this.rooms.events.append(device.id, note, this.at, this.cause)
  }

  /** What the device's list says of each action, then what it is to be told. */
  private async settle(device: Device): Promise<void> {
    const held = new Set(this.statement.held.map(({ id }) => id))
    let room = maxOffersPerReply
    for (const action of await this.rooms.actions.liveOf(device.id)) {
      if (!isRunType(action.type)) continue
      const now = await (held.has(action.id) ? this.listed(action) : this.absent(action))
      if (now.phase === 'offered' && !isOutstanding(now.cancel) && !held.has(now.id)) room -= 1
      if (now.phase === 'queued' && room > 0 && !this.isFromBefore()) {
        await this.advance(now, { kind: 'offered' })
        room -= 1
      }
    }
  }

  /** An agent that knows nothing of an aspect is told nothing; one that has not heard of a restore says first how it stands. */
  private async settleStances(device: Device): Promise<void> {
    const { postures } = this.statement
    if (postures === undefined || this.isFromBefore()) return
    const live = await this.rooms.actions.liveOf(device.id)
    for (const aspect of aspects) {
      const reported = postures[aspect]
      if (reported !== undefined) await this.settleStance(device, aspect, { reported, live })
    }
  }

  /** What stands, folded anew from what the device has just said, and what has been asked since. */
  private async settleStance(
    device: Device,
    aspect: Aspect,
    { reported, live }: { readonly reported: PostureReport; readonly live: readonly Action[] },
  ): Promise<void> {
    await this.noteUnknown(device, aspect, reported)
    const said = heard(this.stances[aspect], reported, this.at)
    const stance = fold(said, aspect, live, this.around)
    const { ordered } = stance
    this.stances = { ...this.stances, [aspect]: stance }
    const queued = live.find(({ id, phase }) => id === ordered.action && phase === 'queued')
    if (queued !== undefined) await this.advance(queued, { kind: 'offered' })
    if (ordered.generation === said.ordered.generation) return
    const note = { kind: 'device.posture_ordered', actor: null, alarm: false, data: { aspect, ...ordered } }
    await this.rooms.events.append(device.id, note, this.at, this.cause)
  }

  /** It stands by an action that is not known here: asked of a server that was put back from a backup since. Told once. */
  private async noteUnknown(device: Device, aspect: Aspect, { action, type }: PostureReport): Promise<void> {
    if (action === null || action === this.stances[aspect].reported?.action) return
    if ((await this.rooms.actions.find(action))?.machineId === device.id) return
    const data = { aspect, action, type }
    const note = { kind: 'device.unknown_posture', actor: null, alarm: true, data }
    await this.rooms.events.append(device.id, note, this.at, this.cause)
  }

  private async listed(action: Action): Promise<Action> {
    const now = await this.advance(action, { kind: 'accepted' })
    return this.advance(now, { kind: 'cancel_sent' })
  }

  /**
   * The device accepts only the reply to its latest nonce, so what it does not list now it will never accept: an offer
   * that was lost. Says nothing to a server that may have forgotten what it offered.
   */
  private async absent(action: Action): Promise<Action> {
    if (this.isFromBefore() || ownerOf(action) === 'server') return action
    if (action.phase === 'offered' && !isOutstanding(action.cancel))
      return this.advance(action, { kind: 'offered' })
    if (action.phase === 'offered' || !isOpen(action)) return this.advance(action, { kind: 'not_received' })
    return this.advance(action, { kind: 'journal_lost' })
  }

  private advance(action: Action, event: Parameters<Rooms['actions']['advance']>[1]): Promise<Action> {
    return this.rooms.actions.advance(action, event, this.at, this.cause)
  }

  /** A pure look at what stands now; a replayed statement gets it too. */
  private async ordersFor(device: Device): Promise<Orders> {
    const held = new Set(this.statement.held.map(({ id }) => id))
    const live = await this.rooms.actions.liveOf(device.id)
    const mayGo = live.filter((action) => isOpen(action) && !isOutstanding(action.cancel))
    const stillLive = new Set(live.map(({ id }) => id))
    const cancelled = live.filter((action) => isOutstanding(action.cancel) || isUndelivered(action))
    const graces = cancelled.flatMap(({ id, cancel }) =>
      cancel === null || cancel.graceMs === 0 ? [] : [[id, cancel.graceMs] as const],
    )
    return {
      seq: device.order.seq,
      acknowledged: device.order.news,
      cancels: cancelled.map(({ id }) => id),
      ...(graces.length > 0 && { graces: Object.fromEntries(graces) }),
      // A device asks before each step, not only before the first.
      starts: mayGo.filter(({ phase }) => mayBegin.includes(phase)).map(({ id }) => id),
      // To a device that has not heard of a restore yet nothing is offered: it lists what it holds first.
      offers: this.isFromBefore()
        ? []
        : mayGo.filter(({ phase, id }) => phase === 'offered' && !held.has(id)).flatMap(toOffer),
      finals: [...held].filter((id) => !stillLive.has(id)),
      postures: this.posturesFor(device, live),
      head: await this.rooms.devices.headOf(device.id),
    }
  }

  /**
   * Nothing is said where what stands would have to be folded anew: a replayed statement changes nothing, and must not carry what
   * has been taken back since.
   */
  private posturesFor({ stances }: Device, live: readonly Action[]): Postures {
    const isTold = (aspect: Aspect): boolean =>
      this.statement.postures?.[aspect] !== undefined &&
      !this.isFromBefore() &&
      this.farewell === null &&
      fold(stances[aspect], aspect, live, this.around) === stances[aspect]
    return Object.fromEntries(
      aspects
        .filter(isTold)
        .map((aspect) => [aspect, documentOf(stances[aspect], aspect, live, this.around)]),
    )
  }
}

const mayBegin: readonly Phase[] = ['accepted', 'running', 'settling']

/** None of what stands: that travels as a posture. */
const toOffer = ({ id, type, parameters, runLimitMs }: Action): readonly Offer[] =>
  isRunType(type) ? [{ id, type, parameters, runLimitMs }] : []
