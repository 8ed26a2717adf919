/** Everything that changes rows, by name. What each does stands with its use case. */
import { changeApplication, dropSecret, keepApplication, keepSecret } from './administer-applications.ts'
import { keepName, retire, revokeKey } from './administer-devices.ts'
import { requestCancel } from './actions/cancel-action.ts'
import { enrol, keepDevice } from './enrol-device.ts'
import { dropEnrolmentToken, keepEnrolmentToken } from './enrolment-tokens.ts'
import { expireAction } from './actions/expire-actions.ts'
import { forgetKeys } from './actions/once.ts'
import { keepLibraryFile, removeLibraryFile } from './files/library-files.ts'
import { keepLabels } from './label-devices.ts'
import { issueCollection } from './actions/request-collection.ts'
import { issuePosture } from './actions/request-posture.ts'
import { issueLiveResponse } from './actions/request-live-response.ts'
import { issueOffboarding } from './actions/request-offboarding.ts'
import { issueQuarantine } from './actions/request-quarantine.ts'
import { issueScan } from './actions/request-scan.ts'
import { noteRelease } from './release-device.ts'
import { takeStatement } from './sync-device.ts'

export const writes = {
  requestCancel,
  issueLiveResponse,
  issueCollection,
  issueQuarantine,
  issueScan,
  issueOffboarding,
  issuePosture,
  takeStatement,
  expireAction,
  forgetKeys,
  enrol,
  keepDevice,
  keepLabels,
  keepName,
  retire,
  revokeKey,
  noteRelease,
  keepEnrolmentToken,
  dropEnrolmentToken,
  keepLibraryFile,
  removeLibraryFile,
  keepApplication,
  changeApplication,
  keepSecret,
  dropSecret,
} as const

export type Writes = typeof writes
