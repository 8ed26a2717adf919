/** What the use cases need of the world, in their own words. Each is implemented by one folder beside this one. */
import type { ActionType, LimitClass } from '@countermand/contract'
import type { CancelStep } from '../core/cancel-step.ts'
import type { Caller } from '../core/permission.ts'
import type { Policies } from '../core/policies.ts'
import type { Surroundings } from '../core/posture.ts'
import type { Reads } from './reads.ts'
import type { Meter, Tracer } from './telemetry.ts'
import type { Writes } from './writes.ts'
import type { Work } from './rows.ts'

export interface App {
  readonly store: Store
  readonly bus: Bus
  readonly signer: Signer
  readonly issuers: Issuers
  readonly files: Files
  readonly uploads: Uploads
  readonly counters: Counters
  readonly signIns: SignIns
  readonly meter: Meter
  /** Null where nobody traces. */
  readonly tracer: Tracer | null
  readonly ids: Ids
  readonly now: () => Date
  /** SHA-256, base64url. */
  readonly digest: (text: string) => string
  readonly identity: Identity
  /** Base URL under which clients and devices reach this server, if it was given; else it is the one that they ask. */
  readonly publicUrl: string | null
  /** Of this server's own CA, DER in base64: what its devices are to trust; null where it has none. */
  readonly ca: string | null
  /** How long a cancel waits for the device's proof before it answers, in milliseconds. */
  readonly settleWithinMs: number
  /** How long a device lets an action of a type run, in milliseconds; for live responses by command, `LiveResponse` a script. */
  readonly runLimitsMs: Readonly<Record<Limited, number>>
  /** The largest file that PutFile brings to a device, in bytes. */
  readonly putLimit: number
  /** Live responses that may be open at the same time; null for any number. */
  readonly sessions: number | null
  readonly policies: Policies
  /** What isolations let pass, and whether they go back without contact. */
  readonly isolation: Omit<Surroundings, 'server'>
  /** Where devices reach this server: as configured, or what its name says and `here`, by which one has just reached it. Sorted. */
  readonly addresses: (here: string | null) => readonly string[]
}

export type Limited = ActionType | 'PutFile' | 'GetFile'

/** What names this installation; made once, kept in the store. */
export interface Identity {
  readonly tenantId: string
  /** Changes when the server is restored from a backup. */
  readonly epoch: string
}

/**
 * Everything durable. Work is named, and its input and answer are plain data, because it is done where the database is: in a
 * thread of its own, or at the end of a connection. `write` answers after the commit is on disk.
 */
export interface Store {
  /** Others may write to the same database: what was read a moment ago may be otherwise already, and nothing here tells of it. */
  readonly isShared: boolean
  read<Name extends keyof Reads>(name: Name, input: InputOf<Reads[Name]>): Promise<OutputOf<Reads[Name]>>
  /** @throws Refusal as the work does; nothing of it is kept then, and nobody else's work is touched. */
  write<Name extends keyof Writes>(name: Name, input: InputOf<Writes[Name]>): Promise<OutputOf<Writes[Name]>>
  close(): Promise<void>
}

type InputOf<W> = W extends Work<infer Input, infer _> ? Input : never
type OutputOf<W> = W extends Work<infer _, infer Output> ? Output : never

/**
 * Tells of commits, before whoever asked for them hears that they are done. What others have committed to the same database it does
 * not know; that is found by the next sync or the next look.
 */
export interface Bus {
  publish(change: Change): void
  onWake(machineId: string, listen: () => void): () => void
  onAction(actionId: string, listen: () => void): () => void
  /** Of anything at all. */
  onCommit(listen: () => void): () => void
}

export interface Change {
  readonly actions: readonly string[]
  /** Those that have ended with this, and that a device may have brought something for. */
  readonly ended: readonly string[]
  /** Devices that should sync now. */
  readonly wake: readonly string[]
  readonly alarms: readonly Alarm[]
  /** Cancels that have come a step further. */
  readonly cancels: readonly CancelStep[]
}

/** An event that somebody should look at; it is on record, and said in the log. */
export interface Alarm {
  readonly chain: string
  readonly kind: string
  readonly actionId: string | null
  readonly data: Readonly<Record<string, unknown>>
}

export interface VerifiedMessage {
  readonly payload: unknown
  readonly key: Readonly<Record<string, unknown>>
  readonly thumbprint: string
}

/** The public key of a device, as a JWK; null for a device that has none. */
export type KeyOf = (deviceId: string) => Promise<Readonly<Record<string, unknown>> | null>

export interface Signer {
  /** Thumbprint of the order key, which devices pin. */
  readonly orderThumbprint: string
  /** A compact JWS by the order key, its public half in the header. */
  signOrder(payload: object, type: string): Promise<string>
  /**
   * Checks a device's JWS: by the key of the device that its header names, or, without `keyOf`, by the key that it
   * brings along. Null when it does not hold.
   */
  verifyDevice(jws: string, type: string, keyOf: KeyOf | null): Promise<VerifiedMessage | null>
  signToken(claims: Readonly<Record<string, unknown>>, validMs: number, now: Date): Promise<string>
  /** The claims of one of our own tokens; null when signature, issuer or time does not hold. Audience is the caller's to check. */
  verifyToken(token: string, now: Date): Promise<Readonly<Record<string, unknown>> | null>
  publicKeys(): readonly object[]
  /** Short text that only we can have made, for one purpose, until a time. */
  seal(purpose: string, subject: string, until: Date): string
  /** The subject; null when forged, for another purpose, or over. */
  unseal(purpose: string, text: string, now: Date): string | null
}

/** Issuers of tokens that are accepted beside our own, as the configuration names them. */
export interface Issuers {
  /** The token says that it is of one of them. Nobody is asked, and nothing has been checked. */
  isNamedIn(token: string): boolean
  /**
   * Who asks by such a token.
   * @throws Refusal Unauthorized; Forbidden for another audience; ServiceUnavailable while its key is not known and its issuer silent
   */
  authenticate(token: string, now: Date): Promise<Caller>
}

export interface StoredFile {
  readonly sha256: string
  readonly size: number
}

export interface ShelvedFile {
  readonly size: number
  /** All of it, or from byte `start` to byte `end`, both included. What is read is not held in memory. */
  readonly read: (range?: Range) => AsyncIterable<Uint8Array>
}

export interface Range {
  readonly start: number
  readonly end: number
}

/** What lies on a shelf: a file under its hash, or a shelf within it. */
export interface Shelved {
  readonly name: string
  readonly size: number
  readonly changedAt: Date
}

/** Files in named shelves (`library`, `results/ACTION/INDEX`), each under its hash. What `put` has returned is on disk. */
export interface Files {
  /** @throws Refusal RequestEntityTooLarge beyond `limit` bytes; nothing is kept then. */
  put(shelf: string, content: AsyncIterable<Uint8Array>, limit: number): Promise<StoredFile>
  open(shelf: string, sha256: string): Promise<ShelvedFile | null>
  list(shelf: string): Promise<readonly Shelved[]>
  remove(shelf: string, sha256: string): Promise<void>
}

/** Which upload: the result of one step of one action. */
export interface UploadPlace {
  readonly actionId: string
  readonly index: number
}

export interface Part {
  readonly content: AsyncIterable<Uint8Array>
  /** What the sender says of this part, in hexadecimal digits. */
  readonly sha256: string
  /** In bytes. */
  readonly limit: number
}

/**
 * Uploads in progress, each a sum of whole parts whose hashes held. They outlive a restart. `append`, `finish` and `discard`
 * are called inside `alone` only.
 */
export interface Uploads {
  /** Runs `work` once nobody else is at work on this upload. */
  alone<T>(place: UploadPlace, work: () => Promise<T>): Promise<T>
  /** How many bytes are kept; null where no upload is in progress. Waits for nobody. */
  offset(place: UploadPlace): Promise<number | null>
  /**
   * Adds a part, or nothing of it, and answers how many bytes are kept then.
   * @throws Refusal InvalidInput where the hash is another; RequestEntityTooLarge; ServiceUnavailable
   */
  append(place: UploadPlace, part: Part): Promise<number>
  /**
   * Moves what is kept to a shelf, on disk. @throws Refusal InvalidInput where its hash is another: then it is discarded.
   */
  finish(place: UploadPlace, sha256: string, shelf: string): Promise<StoredFile>
  discard(place: UploadPlace): Promise<void>
  /** Ids of the actions of which anything is kept. */
  actions(): Promise<readonly string[]>
  /** Whatever is left of an action, and the empty folders of its results. Nobody may be able to begin another upload. */
  clear(actionId: string): Promise<void>
}

export interface Counters {
  /**
   * Counts a call if it fits its limits; else the milliseconds to wait, and nothing is counted. It counts against the limit of its
   * operation where that has one of its own, else against that of its class.
   */
  take(
    caller: string,
    call: { readonly operation: string; readonly class: LimitClass },
    now: Date,
  ): Promise<number>
}

/** Attempts at the token endpoint that have failed: of one client from one address, and of an address. */
export interface SignIns {
  /** Milliseconds in which no attempt is looked at; 0 where one may be made now. */
  waitMs(clientId: string, address: string, now: Date): number
  failed(clientId: string, address: string, now: Date): void
  /** What that client has failed with from there is forgotten. */
  succeeded(clientId: string, address: string): void
}

export interface Ids {
  /** UUIDv7: new ones sort after older ones. */
  action(now: Date): string
  /** 40 hex digits. */
  device(): string
  guid(): string
  /** 256 random bits, base64url. */
  secret(): string
}
