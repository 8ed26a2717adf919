import { libraryFiles } from './library-files.ts'
import { machineActions, machineResponses } from './machine-actions.ts'
import { machines } from './machines.ts'

/** Every operation of the API, in one record. */
export const operations = { ...machineActions, ...machineResponses, ...machines, ...libraryFiles } as const

export { libraryFiles, machineActions, machineResponses, machines }
