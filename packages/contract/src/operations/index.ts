import { alerts } from './alerts.ts'
import { applications } from './applications.ts'
import { devices } from './devices.ts'
import { enrolmentTokens } from './enrolment-tokens.ts'
import { events } from './events.ts'
import { libraryFiles } from './library-files.ts'
import { machineActions, machineResponses } from './machine-actions.ts'
import { machineLabels } from './machine-labels.ts'
import { machines } from './machines.ts'

/** Every operation of the API, in one record. */
export const operations = {
  ...machineActions,
  ...machineResponses,
  ...machines,
  ...machineLabels,
  ...alerts,
  ...libraryFiles,
  ...applications,
  ...enrolmentTokens,
  ...devices,
  ...events,
} as const

export {
  alerts,
  applications,
  devices,
  enrolmentTokens,
  events,
  libraryFiles,
  machineActions,
  machineLabels,
  machineResponses,
  machines,
}
