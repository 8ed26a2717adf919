/** What is durable, as work sees it: rooms with rows in them, and the work itself. Implemented by `store`. */
import type { ChainHead, CommandOutcome, Progress } from '@countermand/contract'
import type { Action, ActionEvent, Order } from '../core/action-shape.ts'
import type { Application } from '../core/application.ts'
import type { Device } from '../core/device.ts'
import type { Condition, OrderKey, Value } from '../core/odata/tree.ts'
import type { Counted } from './telemetry.ts'

/** What work knows beside its input. */
export interface Moment {
  readonly at: Date
  readonly epoch: string
  /** SHA-256, base64url. */
  readonly digest: (text: string) => string
}

/**
 * Work on rows, in one transaction with all that it does. It may be done again when another writer was faster, so it does
 * nothing but read and write rooms.
 */
export type Work<Input, Output> = (rooms: Rooms, input: Input, moment: Moment) => Promise<Output>

export interface Rooms {
  readonly actions: ActionRows
  readonly devices: DeviceRows
  readonly events: EventRows
  readonly library: LibraryRows
  readonly applications: ApplicationRows
  readonly enrolments: EnrolmentRows
  readonly idempotency: IdempotencyRows
}

/** Which of a list, and in which order: by its keys, then the newest first. */
export interface ListQuery {
  readonly filter: Condition | null
  readonly order: readonly OrderKey[]
  readonly top: number
  readonly skip: number
  /** Only what comes after this place. */
  readonly after: Place | null
  /** Are all that fit the filter to be counted, whatever `top`, `skip` and `after` are? */
  readonly counts: boolean
}

/** A place in a list: the row that it follows, and the values of that row's keys. It holds when that row is gone, too. */
export interface Place {
  readonly n: number
  readonly keys: readonly Value[]
}

export interface Listed<Item> {
  readonly items: readonly Item[]
  /** Where the next page begins; null where there is none. */
  readonly next: Place | null
  /** Null where nobody asked. */
  readonly count: number | null
}

/** A device's signed statement as the cause of a change: kept verbatim, once, with the events that it caused. */
export interface Cause {
  readonly digest: string
  readonly seq: number
  readonly jws: string
}

export interface ActionReads {
  find(id: string): Promise<Action | null>
  list(query: ListQuery): Promise<Listed<Action>>
  /** All that are overdue, the longest first, and some that have ended or got more time meanwhile: `lookedAt` clears those. */
  toLookAt(at: Date, most: number): Promise<readonly Action[]>
  /** Every open action anywhere, for what must not be swept from under it. */
  open(): Promise<readonly Action[]>
  /** How many there are of each type and phase among the `most` numbers after `after`. */
  count(after: number, most: number): Promise<Counted>
}

export interface ActionRows extends ActionReads {
  /** Open, or ended while a cancel is still undelivered; oldest first. Tidies up in passing, so only where rows may change. */
  liveOf(machineId: string): Promise<readonly Action[]>
  /**
   * Live responses that are in the way of others, the oldest, up to `most`. Of two who look and then issue one, the second is
   * overtaken, so that they cannot both take the last place. Tidies up in passing too.
   */
  sessions(most: number): Promise<readonly Action[]>
  create(order: Order, commands: readonly CommandOutcome[]): Promise<Action>
  /** The only way an action changes: `core/action.ts` decides, the row and its events are written together. */
  advance(action: Action, event: ActionEvent, at: Date, cause?: Cause): Promise<Action>
  /** Keeps something about an action that does not change it. */
  note(action: Action, note: EventNote, at: Date): Promise<void>
  /** The action is as it should be for now; the next look is due at its deadline. */
  lookedAt(action: Action): Promise<void>
}

export interface DeviceReads {
  find(id: string): Promise<Device | null>
  /** By id, else by computer name in any case. */
  findNamed(idOrName: string): Promise<Device | null>
  /** `at`: whether a device is there depends on the time. */
  list(query: ListQuery, at: Date): Promise<Listed<Device>>
  /** All that are known to have had this address, in small letters, newest first. */
  withAddress(address: string): Promise<readonly Device[]>
  /** All with this tag, or with one that begins so; newest first. */
  withTag(tag: string, isStart: boolean): Promise<readonly Device[]>
  /** How far the chains of these devices have grown: their work counters. */
  workOf(ids: readonly string[]): Promise<ReadonlyMap<string, number>>
  /** What these devices last said of how far their actions are; those that said nothing are left out. */
  progressOf(ids: readonly string[]): Promise<ReadonlyMap<string, readonly Progress[]>>
  headOf(id: string): Promise<ChainHead>
}

export interface DeviceRows extends DeviceReads {
  create(device: Device): Promise<void>
  /**
   * Everything but the head of its chain, which only events move, and its labels. `before` is how it was read: of two who take
   * statements of one device at the same time, one is overtaken and does its work anew.
   */
  save(device: Device, before: Device): Promise<void>
  /** Tags and value, and nothing else; of two at the same time one is overtaken. */
  label(device: Device, before: Device): Promise<void>
}

export interface StoredEvent {
  readonly sequence: number
  readonly kind: string
  readonly at: Date
  readonly actor: string | null
  readonly data: Readonly<Record<string, unknown>>
  readonly previous: string
  readonly digest: string
  readonly statement: string | null
}

export interface EventRows {
  /** Something that happened to a device, or (chain `server`) to none. */
  append(chain: string, note: EventNote, at: Date, cause?: Cause): Promise<void>
  /** Keeps a statement that brings news, whether or not the news changes anything. */
  keep(machineId: string, cause: Cause, at: Date): Promise<void>
  /** The history of one action, oldest first. */
  ofAction(actionId: string): Promise<readonly StoredEvent[]>
  /** Of all chains, in the order of arrival. */
  after(place: number, most: number): Promise<readonly TailedEvent[]>
  /** The place of the latest; 0 where there is none. */
  last(): Promise<number>
}

/** An event with its place in the order of arrival, and without the statement's own text. */
export interface TailedEvent extends Omit<StoredEvent, 'statement' | 'previous'> {
  readonly n: number
  readonly chain: string
  readonly actionId: string | null
  readonly alarm: boolean
}

export interface EventNote {
  readonly kind: string
  readonly actor: string | null
  readonly alarm: boolean
  readonly data: Readonly<Record<string, unknown>>
}

export interface LibraryEntry {
  readonly fileName: string
  readonly sha256: string
  readonly size: number
  readonly description: string | null
  readonly hasParameters: boolean
  readonly parametersDescription: string | null
  readonly createdBy: string
  readonly createdAt: Date
  readonly updatedAt: Date
}

export interface LibraryRows {
  find(fileName: string): Promise<LibraryEntry | null>
  list(): Promise<readonly LibraryEntry[]>
  put(entry: LibraryEntry): Promise<void>
  /** False where there was none. */
  remove(fileName: string): Promise<boolean>
}

/** What an application may now, whatever its tokens say. */
export type Standing = Pick<Application, 'name' | 'isEnabled' | 'permissions'>

export interface ApplicationRows {
  find(id: string): Promise<Application | null>
  /** In the order in which they were made. */
  list(): Promise<readonly Application[]>
  /** By id, in small letters; those that there are not are left out. */
  standingOf(ids: readonly string[]): Promise<ReadonlyMap<string, Standing>>
  create(application: Application): Promise<void>
  /** Whoever saves appends to the server's chain besides: that is where one of two is overtaken. */
  save(application: Application): Promise<void>
}

/** A one-time token. The device that used it gets the same answer again; another one gets none. */
export interface EnrolmentRow {
  readonly id: string
  readonly secretDigest: string
  /** Null for a token that was made before this was written down. */
  readonly createdAt: Date | null
  readonly createdBy: string | null
  /** The existing device that it is for; null makes a new one. */
  readonly forDevice: string | null
  readonly expiresAt: Date
  readonly usedByKey: string | null
  readonly machineId: string | null
  readonly revokedAt: Date | null
}

export interface EnrolmentRows {
  find(secretDigest: string): Promise<EnrolmentRow | null>
  findById(id: string): Promise<EnrolmentRow | null>
  /** Newest first. */
  list(): Promise<readonly EnrolmentRow[]>
  create(row: EnrolmentRow): Promise<void>
  /** Has a device enrolled with this key, by whatever token? */
  hasUsed(key: string): Promise<boolean>
  /** Once, and not after it was revoked; of two at the same time, one is overtaken. */
  use(secretDigest: string, by: { readonly key: string; readonly machineId: string }): Promise<void>
  /** Only one that has not been used; of two at the same time, one is overtaken. */
  revoke(id: string, at: Date): Promise<void>
  /** All that were made for this device and have not been used; answers their ids. */
  revokeFor(machineId: string, at: Date): Promise<readonly string[]>
}

/** What a caller has asked once, under a key of its own (`Idempotency-Key`). */
export interface IdempotencyRows {
  find(
    caller: string,
    key: string,
  ): Promise<{ readonly requestDigest: string; readonly actionId: string } | null>
  /** Once; of two at the same time, one is overtaken. */
  keep(asked: Once & { readonly actionId: string }, at: Date): Promise<void>
  /** All that were kept earlier than this. */
  forget(before: Date): Promise<void>
}

/** A request that is to have its effect once, however often it is sent. */
export interface Once {
  readonly caller: string
  readonly key: string
  readonly requestDigest: string
}
