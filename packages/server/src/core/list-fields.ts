/** What lists may be filtered and ordered by, in the reference's words (`wire.md` 7). Where each lies: `store/lists/columns.ts`. */
import type { Fields } from './odata/tree.ts'

/** The reference names the first six; the others are answered as well. */
export const actionFields = {
  id: 'word',
  status: 'word',
  machineId: 'word',
  type: 'word',
  requestor: 'text',
  creationDateTimeUtc: 'time',
  computerDnsName: 'word',
  requestorComment: 'text',
  lastUpdateDateTimeUtc: 'time',
  cancellationRequestor: 'text',
  cancellationComment: 'text',
  cancellationDateTimeUtc: 'time',
  scope: 'word',
  externalId: 'text',
} as const satisfies Fields

export const deviceFields = {
  computerDnsName: 'word',
  id: 'word',
  version: 'text',
  deviceValue: 'word',
  aadDeviceId: 'word',
  machineTags: 'texts',
  lastSeen: 'time',
  exposureLevel: 'word',
  onboardingStatus: 'word',
  lastIpAddress: 'word',
  healthStatus: 'word',
  osPlatform: 'word',
  riskScore: 'word',
  rbacGroupId: 'number',
  // Ours: who is contained now.
  'countermand/isolation/state': 'word',
  'countermand/isolation/type': 'word',
  'countermand/isolation/actionId': 'word',
  'countermand/isolation/sinceDateTimeUtc': 'time',
  'countermand/restriction/state': 'word',
  'countermand/restriction/actionId': 'word',
  'countermand/restriction/sinceDateTimeUtc': 'time',
} as const satisfies Fields
