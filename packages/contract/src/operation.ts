import type { Static, TSchema } from 'typebox'
import type { Permission } from './permissions.ts'

/**
 * One operation of the API as data. Routes, permission checks, limits, body validation and the typed client are all
 * derived from rows of this type, so that the two sides of the wire cannot drift apart.
 */
export interface Operation {
  /** What it does, in one sentence for the printed reference. */
  readonly summary?: string
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Path below the host. Placeholders are `:name`; matched in any case, with or without `/v1.0` and a trailing slash. */
  readonly path: string
  /** Any one of these is enough. `app` for application tokens (`roles`), `delegated` for user tokens (`scp`). */
  readonly permission: { readonly app: readonly Permission[]; readonly delegated: readonly Permission[] }
  /** What an application needs besides, any one of these: asked for in a second check with words of its own (`wire.md` 8, U7). */
  readonly permissionToo?: { readonly app: readonly Permission[] }
  /** The bucket that a call counts against (`limits.ts`). */
  readonly limit: LimitClass
  /** What the path names. It is looked for before the body is read, so that an unknown one is 404 whatever was sent. */
  readonly target: Target
  /** JSON body; left out for calls that take none or a multipart form. */
  readonly body?: TSchema
  /** Set where the body is a multipart form, which the route reads itself. */
  readonly form?: true
  /** The query options that it takes, for the printed reference; its handler reads and refuses them. */
  readonly query?: readonly string[]
  /** Largest body in bytes; 1 MiB where not given. */
  readonly bodyLimit?: number
  readonly status: 200 | 201 | 204
  /** Somebody else may have been first: it can be answered 409. */
  readonly mayConflict?: true
  /** What the answer is, where it is no JSON. */
  readonly media?: string
  /** What is a number and nothing else is sent as text. */
  readonly reply: TSchema
}

/** `machineActionId`: the work finds the action itself, in its own transaction; it is looked for only where the body is refused. */
export type Target =
  | 'none'
  | 'machineAction'
  | 'machineActionId'
  | 'machine'
  | 'machineOrName'
  | 'libraryFile'
  | 'application'
  | 'enrolmentToken'

/** Calls of one class share one bucket per application (`wire.md` 9: limits count per application and tenant). */
export const limitClasses = [
  'read',
  'cancel',
  'respond',
  'manage',
  'liveResponse',
  'package',
  'library',
] as const
export type LimitClass = (typeof limitClasses)[number]

/** Calls allowed per minute and per hour; null where there is no such limit. */
export interface Limit {
  readonly perMinute: number | null
  readonly perHour: number | null
}

/** The reference's figures (`wire.md` 1 and 9). Each can be changed by configuration. */
export const limits: Readonly<Record<LimitClass, Limit>> = {
  read: { perMinute: 100, perHour: 1_500 },
  cancel: { perMinute: 100, perHour: 1_500 },
  respond: { perMinute: 100, perHour: 1_500 },
  manage: { perMinute: 100, perHour: 1_500 },
  liveResponse: { perMinute: 10, perHour: null },
  package: { perMinute: 2, perHour: 120 },
  library: { perMinute: 100, perHour: 1_500 },
}

export const defaultBodyLimit = 1024 * 1024

export type Operations = Readonly<Record<string, Operation>>
export type BodyOf<Row extends Operation> = Row['body'] extends TSchema ? Static<Row['body']> : undefined
export type ReplyOf<Row extends Operation> = Static<Row['reply']>

/** The names of a path's placeholders: `'/a/:id/b/:n'` → `'id' | 'n'`. */
export type ParamsOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? WithoutClosing<Name> | ParamsOf<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? WithoutClosing<Name>
    : never
type WithoutClosing<Name extends string> = Name extends `${infer Bare})` ? Bare : Name
