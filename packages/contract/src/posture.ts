/**
 * What stands on a device, as a desired state: for each aspect the server folds its actions into one document with a generation, each
 * reply carries it, the device makes it so, reads back what there is, and says which generation stands (`docs/protocol.md`).
 */
import { Type, type Static } from 'typebox'
import { standTypes } from './actions/action-type.ts'
import { OrNull, oneOf } from './machine-action.ts'

const Id = Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' })
const Count = Type.Integer({ minimum: 0 })
const Address = Type.String({ maxLength: 64 })

/** How long an isolation may be without contact to the server before the device goes back to how it stood before. */
export const confirmWithinMs = 60_000

/** Of the control server, in one document. */
export const mostAddresses = 64

/**
 * What passes besides, under `Selective`: to addresses (one, or a network by the length of its beginning), narrowed to ports where
 * there are any; or whatever the processes of one owner (a user's name or number on the device) say to anybody. And the answers.
 */
export const Allowed = Type.Union([
  Type.Object({
    address: Address,
    /** Left out for all of them, and every protocol. */
    ports: Type.Optional(
      Type.Array(Type.Integer({ minimum: 1, maximum: 65_535 }), { minItems: 1, maxItems: 64 }),
    ),
    /** Of the ports; `tcp` where it is left out. */
    protocol: Type.Optional(oneOf(['tcp', 'udp'])),
  }),
  Type.Object({ owner: Type.String({ maxLength: 64, pattern: '^[A-Za-z0-9_.-]+$' }) }),
])
export type Allowed = Static<typeof Allowed>

/** What passes an isolation. */
export const Passage = Type.Object({
  /** Of `Selective` only. */
  allow: Type.Array(Allowed, { maxItems: 256 }),
  /** Whether to go back without contact within `confirmWithinMs`, or to stay cut off. */
  confirm: oneOf(['revert', 'keep']),
  /** Where the control server is: names cannot be resolved by a host that is isolated. IPv4 and IPv6, sorted. */
  server: Type.Array(Address, { maxItems: mostAddresses }),
})
export type Passage = Static<typeof Passage>

/** How a host is to stand in one aspect. */
export const Posture = Type.Object({
  /** Grows whenever the rest changes. */
  generation: Count,
  /** By which action it is to stand so; null where none ever asked for anything. */
  action: OrNull(Id),
  /** `None`: free of anything of ours. */
  type: oneOf(standTypes),
  /** Of an isolation, also of one that is to be none. */
  passage: Type.Optional(Passage),
  /** Actions whose cancel waits to hear that a posture without them stands: each is answered `reverted` then. */
  withdrawn: Type.Array(Id),
})
export type Posture = Static<typeof Posture>

/** By aspect. One that is left out is left as it is. */
export const Postures = Type.Object({
  isolation: Type.Optional(Posture),
  restriction: Type.Optional(Posture),
})
export type Postures = Static<typeof Postures>

/** How a host stands in one aspect, as its device last verified it. Evidence are the news `started`, `finished`, `reverted`; this is for looking. */
export const PostureReport = Type.Object({
  /** The generation that is on its disk as what it works on; 0 before the first. */
  taken: Count,
  /** The generation that stands, verified and confirmed; 0 for none. */
  stands: Count,
  /** By which action, and how: what the standing document says. */
  action: OrNull(Id),
  type: oneOf(standTypes),
})
export type PostureReport = Static<typeof PostureReport>

/** By aspect. One that is left out is one that the device knows nothing of. */
export const PostureReports = Type.Object({
  isolation: Type.Optional(PostureReport),
  restriction: Type.Optional(PostureReport),
})
export type PostureReports = Static<typeof PostureReports>

/**
 * What a device that is cut off asks to be lifted by, as `countermand-agent release` prints it: `cmc1.` + base64url of this as JSON.
 * An operator has the server sign it as it is; the answer is a JWS by the order key over it, of type `release`.
 */
export const Release = Type.Object({
  machineId: Type.String(),
  /** What stands, by aspect. */
  generations: Type.Object({ isolation: Type.Optional(Count), restriction: Type.Optional(Count) }),
  nonce: Type.String({ pattern: '^[A-Za-z0-9_-]{22,64}$' }),
})
export type Release = Static<typeof Release>
export const challengePrefix = 'cmc1.'
