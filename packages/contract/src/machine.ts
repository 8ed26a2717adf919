import { Type, type Static } from 'typebox'
import type { Aspect } from './actions/action-type.ts'
import { OrNull, Timestamp, oneOf } from './machine-action.ts'

export const IpAddress = Type.Object({
  ipAddress: Type.String(),
  macAddress: OrNull(Type.String()),
  type: Type.String(),
  operationalStatus: Type.String(),
})

/** How a machine is shown to stand in an aspect: free, ordered to stand and not confirmed yet, standing, ordered to be free and not confirmed yet. */
export const standStates = {
  isolation: ['NotIsolated', 'Isolating', 'Isolated', 'Releasing'],
  restriction: ['NotRestricted', 'Restricting', 'Restricted', 'Lifting'],
} as const satisfies Record<Aspect, readonly string[]>

const standing = {
  /** By which action. */
  actionId: OrNull(Type.String()),
  /** Since when the device says so. */
  sinceDateTimeUtc: OrNull(Timestamp),
  /** True once the device has said that what is ordered now stands, and was read back. */
  confirmed: Type.Boolean(),
}

/** What we know beyond the reference. Clients of the original API ignore it. */
export const MachineExtension = Type.Object({
  /** When its agent gave its identity up; null for a machine that is managed, or is so again. */
  offboardedDateTimeUtc: OrNull(Timestamp),
  isolation: Type.Object({
    state: oneOf(standStates.isolation),
    type: OrNull(oneOf(['Full', 'Selective'])),
    ...standing,
  }),
  restriction: Type.Object({ state: oneOf(standStates.restriction), ...standing }),
})

/** A machine in the key order of the real service (`wire.md` 12.1). */
export const Machine = Type.Object({
  '@odata.context': Type.Optional(Type.String()),
  id: Type.String(),
  mergedIntoMachineId: Type.Null(),
  isPotentialDuplication: Type.Boolean(),
  isExcluded: Type.Boolean(),
  exclusionReason: Type.Null(),
  computerDnsName: Type.String(),
  firstSeen: Timestamp,
  lastSeen: OrNull(Timestamp),
  osPlatform: OrNull(Type.String()),
  osVersion: OrNull(Type.String()),
  osProcessor: OrNull(Type.String()),
  version: OrNull(Type.String()),
  lastIpAddress: OrNull(Type.String()),
  lastExternalIpAddress: OrNull(Type.String()),
  agentVersion: OrNull(Type.String()),
  osBuild: OrNull(Type.Integer()),
  healthStatus: oneOf(['Active', 'Inactive', 'Unknown']),
  deviceValue: oneOf(['Normal', 'Low', 'High']),
  rbacGroupId: Type.Integer(),
  rbacGroupName: OrNull(Type.String()),
  riskScore: oneOf(['None', 'Informational', 'Low', 'Medium', 'High']),
  exposureLevel: oneOf(['None', 'Low', 'Medium', 'High']),
  isAadJoined: Type.Boolean(),
  aadDeviceId: Type.Null(),
  machineTags: Type.Array(Type.String()),
  defenderAvStatus: Type.String(),
  onboardingStatus: oneOf(['Onboarded', 'CanBeOnboarded', 'Unsupported', 'InsufficientInfo']),
  osArchitecture: OrNull(Type.String()),
  managedBy: Type.String(),
  managedByStatus: Type.String(),
  ipAddresses: Type.Array(IpAddress),
  vmMetadata: Type.Null(),
  countermand: MachineExtension,
})
export type Machine = Static<typeof Machine>
