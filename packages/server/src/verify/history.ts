/**
 * Whether what the events of a chain say could have happened: the rules are asked again, event by event, and whatever only the
 * device can say is looked up in its own signed words.
 */
import type { Selectable } from 'kysely'
import { stepsOf } from '../app/actions/request-action.ts'
import type { Action, ActionEvent } from '../core/action-shape.ts'
import { advance, issue } from '../core/action.ts'
import { isFarewell } from '../core/offboard.ts'
import { deviceNotes, isToldOfDevice, recordOf, type Recorded } from '../core/history.ts'
import type { ActionRow, StatementRow } from '../store/schema.ts'
import { toAction } from '../store/action-row.ts'
import { isSame, placeOf, type Data, type Event } from './chain.ts'
import { Fault, type FaultKind } from './fault.ts'
import { Hearing } from './hearing.ts'
import type { DeviceKey } from './keys.ts'
import { eventOf, originOf } from './replay.ts'
import type { Restores } from './restores.ts'
import { isSignedBy, readStatement, type Signed } from './statement.ts'

/** An action as its events make it. */
export interface Replayed {
  readonly action: Action
  /** Row number of its last event. */
  readonly last: number
}

export interface HistoryParts {
  /** The rows of the actions of this device, by id. */
  readonly rows: ReadonlyMap<string, Selectable<ActionRow>>
  /** Of the enrolments up to the event that is looked at. */
  readonly keys: readonly DeviceKey[]
  readonly findStatement: (digest: string) => Promise<StatementRow | null>
  readonly restores: Restores
}

interface Silence {
  key_revoked_at: number | null
  retired_at: number | null
  offboarded_at: number | null
}

export class History {
  readonly actions = new Map<string, Replayed>()
  /** The statements that events name, and by whose key they hold. */
  readonly heard = new Map<string, DeviceKey>()
  /** Of two histories: kept as evidence, and not taken. */
  readonly forked = new Set<string>()
  /** Whose head the server itself found not to fit, and what it said of the first of them. */
  readonly contradicting = new Set<string>()
  contradiction: Fault | null = null
  /** Since when the device may not speak, as its row has it too. */
  readonly silence: Silence = { key_revoked_at: null, retired_at: null, offboarded_at: null }

  private readonly parts: HistoryParts
  private hearing: Hearing | null = null
  /** What else the last step must have written down. */
  private due: readonly Recorded[] = []
  private before: Event | null = null
  /** The offboarding by which the device has left with the statement that is looked at, and no event has told so. */
  private farewell: string | null = null
  /** Numbers of the last statement and the last news, since the last enrolment. */
  private taken = { seq: 0, news: 0 }

  constructor(parts: HistoryParts) {
    this.parts = parts
  }

  /** The next event. @throws Fault */
  async add(row: Event, data: Data): Promise<void> {
    const where = placeOf(row)
    if (row.statement !== (this.hearing?.digest ?? null)) {
      this.close('missing row', where)
      this.hearing = row.statement === null ? null : await this.hear(row, row.statement, data)
    }
    const [due, ...rest] = this.due
    this.due = rest
    if (due !== undefined) this.follow(row, data, due)
    else if (row.kind.startsWith('action.')) this.step(row, data)
    else this.told(row, data, where)
    this.before = row
  }

  /** After the last event. @throws Fault */
  end(): void {
    this.close('truncated tail', 'events: the end of this chain')
  }

  /** Everything that the last statement or step brought must have shown. */
  private close(kind: FaultKind, where: string): void {
    const [due] = this.due
    if (due !== undefined)
      throw new Fault(kind, where, `"${due.kind}" must follow the event before, and does not`)
    if (this.farewell !== null) {
      const what = `with action ${this.farewell} the device has left, and no event tells so`
      throw new Fault(kind, where, what)
    }
    this.hearing?.close(kind, where)
  }

  private async hear(row: Event, digest: string, data: Data): Promise<Hearing> {
    const where = placeOf(row)
    if (this.heard.has(digest)) {
      throw new Fault(
        'forged statement',
        where,
        `the statement ${digest} has caused earlier events, and is used again`,
      )
    }
    const kept = await this.parts.findStatement(digest)
    if (kept === null) {
      throw new Fault('missing row', 'statements', `${digest} is not there, and ${where} was caused by it`)
    }
    const signed = readStatement(kept)
    this.heard.set(digest, this.signer(signed, row.chain))
    if (Object.values(this.silence).some((since) => since !== null)) {
      const what = 'it was taken though the device was retired or offboarded, or its key revoked, before'
      throw new Fault('forged statement', signed.where, what)
    }
    if (kept.at !== row.at) {
      throw new Fault('changed row', signed.where, 'the time at which it was taken is not that of its events')
    }
    const { seq, news } = signed.statement
    if (row.kind === 'device.cloned' && data.where === 'statement')
      return new Hearing(digest, signed.statement, [])
    if (seq <= this.taken.seq) {
      const what = `${where} was caused by number ${seq}, and number ${this.taken.seq} had been taken before`
      throw new Fault('forged statement', signed.where, what)
    }
    const fresh = news.filter(({ n }) => n > this.taken.news)
    this.taken = { seq, news: fresh.at(-1)?.n ?? this.taken.news }
    return new Hearing(digest, signed.statement, fresh)
  }

  /** It must be the key that the device had then: a former one may be in other hands. */
  private signer(signed: Signed, chain: string): DeviceKey {
    const { where, statement } = signed
    if (statement.machineId !== chain) {
      throw new Fault(
        'forged statement',
        where,
        `it is the word of device ${statement.machineId}, used for another`,
      )
    }
    const now = this.parts.keys.at(-1)
    if (now !== undefined && isSignedBy(signed, now)) return now
    const former = this.parts.keys.some((key) => isSignedBy(signed, key))
    const what = former
      ? 'it is signed by a former key of the device, and used after a new one was enrolled'
      : 'it is not signed by the key that the device had then'
    throw new Fault('forged statement', where, what)
  }

  private step(row: Event, data: Data): void {
    const where = placeOf(row)
    const id = row.action_id ?? ''
    if (row.kind === 'action.requested') return this.requested(row, data)
    const known = this.actions.get(id)
    if (known === undefined) {
      throw new Fault('missing row', where, 'no event before it tells that this action was requested')
    }
    this.checkBefore(row, known.last)
    if (row.kind === 'action.cancel_denied') return this.denied(row, data, known)
    const event = eventOf(row.kind, data)
    if (event === null)
      throw new Fault('rewritten history', where, 'the rules know of nothing that is told like this')
    this.prove(row, id, event)
    const { after, notes } = ruled(known.action, event, row)
    const [first, ...due] = notes
    if (first === undefined)
      throw new Fault('rewritten history', where, 'by the rules nothing is written down of it')
    this.actions.set(id, { action: after, last: row.n })
    if (isFarewell(known.action, after)) this.farewell = id
    this.due = due
    checkNote(row, data, first)
  }

  private requested(row: Event, data: Data): void {
    const where = placeOf(row)
    const id = row.action_id ?? ''
    if (this.actions.has(id)) throw new Fault('added row', where, 'the action was requested before')
    this.checkBefore(row, null)
    const kept = this.parts.rows.get(id)
    if (kept === undefined)
      throw new Fault('missing row', 'actions', `action ${id} is not there, and ${where} tells of it`)
    const order = read(kept)
    const times = {
      createdAt: ms(order.createdAt),
      notBefore: ms(order.notBefore),
      notAfter: ms(order.notAfter),
    }
    const isKept: Data = { ...order, ...times }
    const told: Data = { ...data, requestor: row.actor, machineId: row.chain, createdAt: row.at }
    const differing = Object.keys(told).find((name) => !isSame(told[name], isKept[name]))
    if (differing !== undefined) {
      throw new Fault('changed row', `actions: ${id}`, `its ${differing} is not what ${where} tells of it`)
    }
    this.actions.set(id, { action: issue(order, stepsOf(order.parameters)), last: row.n })
  }

  /** A request that was refused: kept, and nothing changed by it. */
  private denied(row: Event, data: Data, { action }: Replayed): void {
    const where = placeOf(row)
    const asked = eventOf('action.cancel_requested', { ...data, by: row.actor, reason: 'user' })
    if (asked === null || this.hearing !== null) {
      throw new Fault('rewritten history', where, 'a request that was refused is not told like this')
    }
    // By the rules of an action's life, that is; a caller's own rights are not on record.
    if (data.policy !== true && isAllowed(action, asked, row)) {
      throw new Fault(
        'rewritten history',
        where,
        `by the rules an action that is ${action.phase} can be cancelled`,
      )
    }
    this.actions.set(action.id, { action, last: row.n })
  }

  private prove(row: Event, id: string, event: ActionEvent): void {
    const where = placeOf(row)
    const origin = originOf(event)
    if (this.hearing !== null) return this.hearing.proves(id, event, { origin, where })
    // A server that was put back takes what was queued for offered.
    if (origin === 'server' || (origin === 'sync' && this.parts.restores.isOne(row.at))) return
    const what = `it records "${event.kind}", which only the device can say, and names no statement of it`
    throw new Fault('forged statement', where, what)
  }

  /** The second event of a step. */
  private follow(row: Event, data: Data, due: Recorded): void {
    const id = row.action_id ?? ''
    const known = this.actions.get(id)
    if (known === undefined || id !== this.before?.action_id || row.at !== this.before.at) {
      throw new Fault(
        'missing row',
        placeOf(row),
        `"${due.kind}" must follow the event before it, and does not`,
      )
    }
    this.checkBefore(row, known.last)
    checkNote(row, data, due)
    this.actions.set(id, { ...known, last: row.n })
  }

  private checkBefore(row: Event, last: number | null): void {
    if (row.before === last) return
    const what = `as the action's event before it stands row ${row.before}, and it was row ${last}`
    throw new Fault('changed row', placeOf(row), what)
  }

  private hasLeft(row: Event, data: Data): boolean {
    if (this.hearing === null || this.farewell === null || data.action !== this.farewell) return false
    this.farewell = null
    this.silence.offboarded_at = row.at
    return true
  }

  /** What is told of the device itself. */
  private told(row: Event, data: Data, where: string): void {
    const forged = (what: string): Fault => new Fault('forged statement', where, what)
    const said = this.hearing?.statement
    switch (row.kind) {
      case 'device.enrolled':
        this.taken = { seq: 0, news: 0 }
        Object.assign(this.silence, { key_revoked_at: null, retired_at: null, offboarded_at: null })
        return
      case 'device.key_revoked':
        this.silence.key_revoked_at = row.at
        return
      case 'device.retired':
        this.silence.retired_at = row.at
        return
      case 'device.offboarded':
        if (!this.hasLeft(row, data)) throw forged('its statement does not say that the device has left')
        return
      case 'device.cloned':
        if (data.digest !== row.statement || data.seq !== said?.seq)
          throw forged('its statement is another one')
        this.hearing?.dropped()
        this.forked.add(String(row.statement))
        return
      case 'device.history_contradicted':
        if (!isSame(data.reported, said?.serverHead ?? null))
          throw forged('its statement reports another head')
        this.contradicting.add(String(row.statement))
        if (this.parts.restores.explainHead(said?.epoch ?? null, row.at)) return
        this.contradiction ??= new Fault(
          'truncated tail',
          where,
          `the server noted itself that the device had seen a longer or another history: ${JSON.stringify(data)}`,
        )
        return
      case 'device.drift':
      case 'device.released':
        if (this.hearing === null) throw forged('it names no statement')
        return this.hearing.next(
          where,
          row.kind,
          ({ previous: _previous, kind, ...words }) =>
            isSame(data, words) && isToldOfDevice(kind) && row.kind === deviceNotes[kind],
        )
      case 'device.unknown_action':
        if (this.hearing === null) throw forged('it names no statement')
        return this.hearing.next(where, `news of action ${String(data.action)}`, ({ n, at, action, kind }) =>
          isSame(data, { n, at, action, said: kind }),
        )
    }
  }
}

function read(row: Selectable<ActionRow>): Action {
  try {
    return toAction(row)
  } catch {
    throw new Fault('changed row', `actions: ${row.id}`, 'it cannot be read')
  }
}

/** What the rules say follows. */
function ruled(
  action: Action,
  event: ActionEvent,
  row: Event,
): { after: Action; notes: readonly Recorded[] } {
  try {
    const after = advance(action, event, new Date(row.at))
    return { after, notes: recordOf(action, after, event) }
  } catch {
    // A refusal, or values that the rules cannot work with.
    const what = `the rules allow no "${event.kind}" of an action that is ${action.phase}`
    throw new Fault('rewritten history', placeOf(row), what)
  }
}

function isAllowed(action: Action, event: ActionEvent, row: Event): boolean {
  try {
    advance(action, event, new Date(row.at))
    return true
  } catch {
    return false
  }
}

function checkNote(row: Event, data: Data, { kind, actor, alarm, data: due }: Recorded): void {
  const told = { kind: row.kind, actor: row.actor, alarm: row.alarm === 1, data }
  if (isSame(told, { kind, actor, alarm, data: due })) return
  const what = `by the rules this would be "${kind}" by ${actor ?? 'nobody'} with ${JSON.stringify(due)}`
  throw new Fault('rewritten history', placeOf(row), what)
}

const ms = (date: Date | null): number | null => date?.getTime() ?? null
