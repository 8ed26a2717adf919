import { Type, type Static } from 'typebox'
import { ListOf, OrNull, StringValue, Timestamp, oneOf } from '../machine-action.ts'
import type { Operation } from '../operation.ts'
import { administer } from '../permissions.ts'

/** A machine as those see it who administer it. */
export const DeviceEntry = Type.Object({
  '@odata.context': Type.Optional(Type.String()),
  id: Type.String(),
  /** Announced: known, and not enrolled yet. */
  state: oneOf(['Announced', 'Enrolled', 'KeyRevoked', 'Offboarded', 'Retired']),
  /** Given by people; it stands instead of the host's own. Null where nobody gave one. */
  displayName: OrNull(Type.String()),
  /** The host's own name, as its agent says it; null before it has enrolled. */
  hostName: OrNull(Type.String()),
  /** The name that the API of machines shows: one of the two. */
  computerDnsName: Type.String(),
  /** RFC 7638, of the key of its last enrolment. */
  keyThumbprint: OrNull(Type.String()),
  agentVersion: OrNull(Type.String()),
  firstSeen: Timestamp,
  lastSeen: OrNull(Timestamp),
  keyRevokedDateTimeUtc: OrNull(Timestamp),
  retiredDateTimeUtc: OrNull(Timestamp),
  /** When its agent said that it had passed the point from which there is no way back. */
  offboardedDateTimeUtc: OrNull(Timestamp),
})
export type DeviceEntry = Static<typeof DeviceEntry>

const why = Type.Object({
  /** Kept with the event. */
  Comment: Type.Optional(Type.String()),
})

/** Ours, not the reference's: what is done about a device itself, and not on it. */
export const devices = {
  listDevices: {
    summary: 'Lists the devices, retired ones too.',
    method: 'GET',
    path: '/api/countermand/devices',
    permission: administer,
    limit: 'read',
    target: 'none',
    query: ['$filter', '$orderby', '$top', '$skip', '$count', '$select'],
    status: 200,
    reply: ListOf(DeviceEntry),
  },
  getDevice: {
    summary: 'Gets one device by its id.',
    method: 'GET',
    path: '/api/countermand/devices/:id',
    permission: administer,
    limit: 'read',
    target: 'machine',
    status: 200,
    reply: DeviceEntry,
  },
  renameDevice: {
    summary: 'Gives a device a name that stands instead of its host’s own; null takes it back.',
    method: 'PATCH',
    path: '/api/countermand/devices/:id',
    permission: administer,
    limit: 'manage',
    target: 'machine',
    body: Type.Object({ displayName: Type.Optional(OrNull(Type.String())) }),
    status: 200,
    reply: DeviceEntry,
  },
  retireDevice: {
    summary: 'Takes a device out of service: it is asked nothing more, and what it says is not taken.',
    method: 'POST',
    path: '/api/countermand/devices/:id/retire',
    permission: administer,
    limit: 'manage',
    target: 'machine',
    body: why,
    status: 200,
    reply: DeviceEntry,
  },
  revokeDeviceKey: {
    summary: 'Revokes the key of a device: it must enrol again, with a new token made for it.',
    method: 'POST',
    path: '/api/countermand/devices/:id/revokekey',
    permission: administer,
    limit: 'manage',
    target: 'machine',
    body: why,
    status: 200,
    reply: DeviceEntry,
  },
  releaseDevice: {
    summary:
      'Signs the challenge of a device that is cut off: it lifts what stands there until the next contact.',
    method: 'POST',
    path: '/api/countermand/devices/:id/release',
    permission: { app: ['Countermand.Release'], delegated: ['Countermand.Release'] },
    limit: 'manage',
    target: 'machine',
    /** The challenge, as `countermand-agent release` prints it on the device. */
    body: Type.Object({
      Challenge: Type.String({ maxLength: 1_000 }),
      Comment: Type.Optional(Type.String()),
    }),
    status: 200,
    reply: StringValue,
  },
} as const satisfies Record<string, Operation>
