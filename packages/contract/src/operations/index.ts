import { enrolmentTokens } from './enrolment-tokens.ts'
import { libraryFiles } from './library-files.ts'
import { machineActions, machineResponses } from './machine-actions.ts'
import { machines } from './machines.ts'

/** Every operation of the API, in one record. */
export const operations = {
  ...machineActions,
  ...machineResponses,
  ...machines,
  ...libraryFiles,
  ...enrolmentTokens,
} as const

export { enrolmentTokens, libraryFiles, machineActions, machineResponses, machines }
