/** Everything that changes rows, by name. What each does stands with its use case. */
import { requestCancel } from './cancel-action.ts'
import { enrol, keepDevice, keepEnrolmentToken } from './enrol-device.ts'
import { expireAction } from './expire-actions.ts'
import { forgetKeys } from './once.ts'
import { keepLibraryFile, removeLibraryFile } from './library-files.ts'
import { keepLabels } from './label-devices.ts'
import type { Application, Rooms } from './ports.ts'
import { issueCollection } from './request-collection.ts'
import { issueLiveResponse } from './request-live-response.ts'
import { issueScan } from './request-scan.ts'
import { takeStatement } from './sync-device.ts'

export const writes = {
  requestCancel,
  issueLiveResponse,
  issueCollection,
  issueScan,
  takeStatement,
  expireAction,
  forgetKeys,
  enrol,
  keepDevice,
  keepLabels,
  keepEnrolmentToken,
  keepLibraryFile,
  removeLibraryFile,
  keepApplication: ({ applications }: Rooms, application: Application) => applications.create(application),
} as const

export type Writes = typeof writes
