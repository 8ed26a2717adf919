/**
 * What a device and its server say to each other. Both directions are compact JWS (EdDSA): a *statement* by the device's
 * key, a *reply* by the server's order key. `docs/protocol.md` tells the story; these schemas are checked on both sides.
 */
import { Type, type Static } from 'typebox'
import { Quarantined } from './actions/quarantine.ts'
import { Finding, maxFindings } from './actions/scan.ts'
import { ActionParameters, runTypes } from './actions/index.ts'
import { OrNull, commandStatuses, oneOf } from './machine-action.ts'
import { IpAddress } from './machine.ts'
import { PostureReports, Postures } from './posture.ts'

/** Raised when a message changes its meaning. Server and agent understand their own and the one before. */
export const protocolVersion = 1
export const isSpoken = (version: number): boolean =>
  version === protocolVersion || version === protocolVersion - 1

/** `typ` headers, so that no message can be taken for one of another kind. */
export const messageTypes = {
  enrolment: 'countermand-enrolment+jws',
  enrolled: 'countermand-enrolled+jws',
  former: 'countermand-former+jws',
  statement: 'countermand-statement+jws',
  reply: 'countermand-reply+jws',
  release: 'countermand-release+jws',
} as const

export const devicePaths = {
  enrol: '/device/enrol',
  sync: '/device/sync',
  wake: '/device/wake',
  /** Asks, with the ticket, for a link to one file that an action needs, or for one that it brings (`LinkRequest`). */
  link: '/device/actions/:id/link',
  /** GET brings a file, with ranges; HEAD and PATCH take a result, part by part. The link itself is the leave. */
  transfer: '/device/transfer/:link',
} as const

/** How often the event stream shows that it lives; each heartbeat carries the work counter (`Reply.head.sequence`). */
export const heartbeatMs = 15_000
/** A start is allowed for this long after the *sending* of the nonce whose reply allowed it, by the device's clock. */
export const startWithinMs = 30_000
/** How long a device may take to end, undo and upload once the body of an action is over. */
export const settleLimitMs = 30 * 60_000
export const maxOffersPerReply = 20
/** News beyond this wait for the next statement. */
export const maxNewsPerStatement = 200

const Id = Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' })
const Digest = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', description: 'SHA-256, base64url' })
const Hex256 = Type.String({ pattern: '^[0-9a-f]{64}$' })
const DeviceTime = Type.String({
  description: 'ISO 8601 by the device’s own clock; evidence, never compared',
})
const Words = Type.String({ maxLength: 4096 })
const Count = Type.Integer({ minimum: 0 })

/** What a device reports of itself (`wire.md` 12.1). */
export const Facts = Type.Object({
  hostName: Type.String({ maxLength: 255, pattern: '^[^\\0]+$' }),
  osPlatform: Type.String(),
  osVersion: OrNull(Type.String()),
  osBuild: OrNull(Type.Integer()),
  osArchitecture: OrNull(Type.String()),
  osProcessor: OrNull(Type.String()),
  version: OrNull(Type.String()),
  agentVersion: Type.String(),
  ipAddresses: Type.Array(IpAddress, { maxItems: 256 }),
  /** Who is signed in; left out where the device cannot tell. */
  users: Type.Optional(
    Type.Array(
      Type.Object({
        name: Type.String({ maxLength: 255 }),
        type: oneOf(['Interactive', 'RemoteInteractive']),
      }),
      { maxItems: 256 },
    ),
  ),
})
export type Facts = Static<typeof Facts>

/**
 * Whether a device can do an action type. Where it cannot, `why` decides the refusal: another system, a tool that is
 * missing (`detail` is the line that installs it), switched off on that host, or somebody else's work there.
 */
export const Capability = Type.Union([
  Type.Object({ able: Type.Literal(true), commands: Type.Optional(Type.Array(Type.String())) }),
  Type.Object({
    able: Type.Literal(false),
    why: oneOf(['platform', 'missing_tool', 'switched_off', 'in_use']),
    detail: Words,
  }),
])
export type Capability = Static<typeof Capability>
export const Capabilities = Type.Record(Type.String(), Capability)
export type Capabilities = Static<typeof Capabilities>

/** The result of one command, whose bytes the device has uploaded. */
export const ResultRef = Type.Object({ sha256: Hex256, size: Count, fileName: Type.String() })
export type ResultRef = Static<typeof ResultRef>

/** Where each step of an action stands: a command of a live response, or a scan; times by the device's clock. */
export const CommandOutcome = Type.Object({
  index: Count,
  status: oneOf(commandStatuses),
  startedAt: OrNull(DeviceTime),
  endedAt: OrNull(DeviceTime),
  errors: Type.Array(Words, { maxItems: 50 }),
  result: OrNull(ResultRef),
  /** What a scan has found; left out where there was none. */
  findings: Type.Optional(Type.Array(Finding, { maxItems: maxFindings })),
  /** What was killed and taken away; left out where it is about no file. */
  quarantined: Type.Optional(Quarantined),
})
export type CommandOutcome = Static<typeof CommandOutcome>

/** A step that nobody has begun. */
export const notBegun = (index: number): CommandOutcome => ({
  index,
  status: 'Created',
  startedAt: null,
  endedAt: null,
  errors: [],
  result: null,
})

const about = { n: Type.Integer({ minimum: 1 }), previous: Digest, at: DeviceTime, action: Id }
const Commands = Type.Array(CommandOutcome, { maxItems: 100 })
const Residues = Type.Array(Words, { maxItems: 1000 })

/**
 * What happened on the device. Items are numbered and each carries the digest of the one before, so that none can be
 * left out or put in later; they are said again until a reply acknowledges them.
 */
export const NewsItem = Type.Union([
  Type.Object({ ...about, kind: Type.Literal('started'), commands: Commands }),
  /** A step is over, or a later one has begun. */
  Type.Object({ ...about, kind: Type.Literal('stepped'), commands: Commands }),
  /** The body is over; ending what it left, uploading and the like are under way. */
  Type.Object({ ...about, kind: Type.Literal('ended'), commands: Commands }),
  /** The work went its own way to the end. Under a cancel this means: it came too late, or was refused. */
  Type.Object({
    ...about,
    kind: Type.Literal('finished'),
    outcome: oneOf(['succeeded', 'failed', 'timed_out']),
    detail: OrNull(Words),
    commands: Commands,
  }),
  /** The journal holds the cancel; no later step of the action begins. */
  Type.Object({ ...about, kind: Type.Literal('cancel_acknowledged') }),
  /** The journal took the cancel before the start. */
  Type.Object({ ...about, kind: Type.Literal('refused_start'), commands: Commands }),
  /** Nothing of it is left running: `stopped` from an empty, removed cgroup; `swept` from a search. */
  Type.Object({
    ...about,
    kind: Type.Literal('stopped'),
    proof: oneOf(['stopped', 'swept']),
    residues: Residues,
    commands: Commands,
  }),
  Type.Object({ ...about, kind: Type.Literal('reverted'), commands: Commands }),
  Type.Object({ ...about, kind: Type.Literal('revert_failed'), residues: Residues, commands: Commands }),
  Type.Object({ ...about, kind: Type.Literal('cannot_stop'), detail: Words }),
  /** Killed, and still there: uninterruptible. The device keeps trying. */
  Type.Object({ ...about, kind: Type.Literal('unkillable'), detail: Words }),
  /** What stands was found changed by somebody else, and was put back. `action` is the one by which it stands. */
  Type.Object({ ...about, kind: Type.Literal('drifted'), detail: Words }),
  /** Lifted on the spot, by an answer that the server had signed (`Release`), until the next contact. */
  Type.Object({ ...about, kind: Type.Literal('released'), generation: Count }),
])
export type NewsItem = Static<typeof NewsItem>
export type NewsKind = NewsItem['kind']
/** A news item before it is numbered and chained. */
export type News = NewsItem extends infer Item
  ? Item extends NewsItem
    ? Omit<Item, 'n' | 'previous' | 'at'>
    : never
  : never

/** Every action that the device holds. It stays listed until a reply says that it is final. */
export const Held = Type.Object({ id: Id, state: oneOf(['accepted', 'started', 'over']) })
export type Held = Static<typeof Held>

/** How far an action is that runs now: for people to look at, of no consequence, and never kept. */
export const Progress = Type.Object({
  action: Id,
  /** Index of the step that it is in. */
  step: Count,
  /** How much of that step is done, from 0 to 1; null where that cannot be known. */
  share: OrNull(Type.Number({ minimum: 0, maximum: 1 })),
  /** The last line that it wrote, or what it is busy with. */
  line: OrNull(Type.String({ maxLength: 300 })),
})
export type Progress = Static<typeof Progress>

/** What a device may ask a link for: a file by its hash, or the place of a command's result. */
export const LinkRequest = Type.Union([
  Type.Object({ file: Hex256 }),
  Type.Object({ result: Type.Integer({ minimum: 0, maximum: 99 }) }),
])
export type LinkRequest = Static<typeof LinkRequest>
export const Link = Type.Object({ path: Type.String() })
export type Link = Static<typeof Link>

/** A place in a hash chain: how many links, and the digest of the last. */
export const ChainHead = Type.Object({ sequence: Count, digest: Digest })
export type ChainHead = Static<typeof ChainHead>

export const Statement = Type.Object({
  protocol: Type.Integer(),
  machineId: Type.String(),
  /** Thumbprint of the order key: whom this is said to. A statement to one server is worth nothing at another. */
  server: Digest,
  /** Grows by one; a statement is said again, byte for byte, until it is answered. */
  seq: Type.Integer({ minimum: 1 }),
  /** Digest of statement `seq - 1`; of the device's own public key for the first. */
  previous: Digest,
  nonce: Type.String({ pattern: '^[A-Za-z0-9_-]{22,64}$' }),
  /** The server's epoch as last heard, first by the answer to the enrolment; null from an agent that has not kept that: nothing follows from what it does not list. */
  epoch: OrNull(Type.String()),
  bootId: Type.String(),
  news: Type.Array(NewsItem, { maxItems: maxNewsPerStatement }),
  /** The last news item that the server has acknowledged; a server that was restored takes up the chain from here. */
  newsHead: ChainHead,
  held: Type.Array(Held),
  /** Of what runs; left out where nothing does. */
  progress: Type.Optional(Type.Array(Progress, { maxItems: 100 })),
  /** The server's event chain for this device, as the last accepted reply had it. */
  serverHead: OrNull(ChainHead),
  /** How the host stands; left out by agents that know of nothing that stands. */
  postures: Type.Optional(PostureReports),
  facts: Facts,
  capabilities: Capabilities,
})
export type Statement = Static<typeof Statement>

export const Offer = Type.Object({
  id: Id,
  type: oneOf(runTypes),
  parameters: ActionParameters,
  runLimitMs: Type.Integer({ minimum: 1 }),
})
export type Offer = Static<typeof Offer>

/** Orders, in the order in which the device obeys them. They travel in no other way. */
export const Reply = Type.Object({
  protocol: Type.Integer(),
  machineId: Type.String(),
  nonce: Type.String(),
  epoch: Type.String(),
  /** The highest `seq` taken. Higher than the device's own: the device was rolled back or copied. */
  seq: Count,
  /** News up to this number have committed. */
  acknowledged: Count,
  cancels: Type.Array(Id),
  /** Of these cancels those whose processes are asked to end first, and how many milliseconds before they are killed. */
  graces: Type.Optional(Type.Record(Id, Count)),
  /** Held actions that may start, or begin their next step. One that is not listed may not, whatever an earlier reply said. */
  starts: Type.Array(Id),
  offers: Type.Array(Offer, { maxItems: maxOffersPerReply }),
  /** Held actions that are final here; the device may drop them once they are over or were never started. */
  finals: Type.Array(Id),
  /** How the host is to stand. */
  postures: Postures,
  /** The server's event chain for this device. Its length is the work counter: a heartbeat with another means *sync now*. */
  head: ChainHead,
  /** Shown for the event stream and for files; good for a day. */
  ticket: Type.String(),
})
export type Reply = Static<typeof Reply>

/** An enrolment request: a JWS by the *new* device key, its public half in the header. */
export const Enrolment = Type.Object({
  protocol: Type.Integer(),
  server: Digest,
  secret: Type.String({ maxLength: 256 }),
  facts: Facts,
  capabilities: Capabilities,
  /** A JWS by the device's former key over `{ machineId, key }`: keeps the former id. */
  former: OrNull(Type.String()),
})
export type Enrolment = Static<typeof Enrolment>

/** By its former key, a device vouches for its new one and so keeps its id. */
export const Former = Type.Object({ machineId: Type.String(), key: Digest })
export type Former = Static<typeof Former>

/** The server's answer: a JWS by the order key, its public half in the header, to be held against the token. */
export const Enrolled = Type.Object({
  protocol: Type.Integer(),
  /** Thumbprint of the device key that this answers. */
  key: Digest,
  machineId: Type.String(),
  epoch: Type.String(),
})
export type Enrolled = Static<typeof Enrolled>

/**
 * A one-time token: where the server is, which order key to trust, and a secret; with a private CA of the server's, its
 * certificate (DER, base64): the device takes no other server's from then on. Text form: `cme1.` + base64url JSON.
 */
export const EnrolmentToken = Type.Object({
  server: Type.String(),
  orderKey: Digest,
  secret: Type.String(),
  ca: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9+/]+=*$', maxLength: 8192 })),
})
export type EnrolmentToken = Static<typeof EnrolmentToken>
export const enrolmentTokenPrefix = 'cme1.'

/** Over what an event or news item is hashed: JSON with its keys in the order of the code point, no blanks. */
export function canonical(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const record: Readonly<Record<string, unknown>> = { ...value }
  let text = ''
  for (const key of Object.keys(record).toSorted()) {
    if (record[key] === undefined) continue
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonical(record[key])}`
  }
  return `{${text}}`
}
