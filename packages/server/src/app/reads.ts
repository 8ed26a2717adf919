/** Everything that is only looked at, by name. One look at one state: a read never waits for a write. */
import { wantedFiles } from './sweep-files.ts'
import type { Page, Rooms } from './ports.ts'

export const reads = {
  action: ({ actions }: Rooms, id: string) => actions.find(id),
  actions: ({ actions }: Rooms, page: Page) => actions.list(page),
  actionsToLookAt: ({ actions }: Rooms, { at, most }: { at: Date; most: number }) =>
    actions.toLookAt(at, most),
  actionEvents: ({ events }: Rooms, id: string) => events.ofAction(id),
  device: ({ devices }: Rooms, id: string) => devices.find(id),
  deviceNamed: ({ devices }: Rooms, idOrName: string) => devices.findNamed(idOrName),
  devices: ({ devices }: Rooms, page: Page) => devices.list(page),
  progressOf: ({ devices }: Rooms, ids: readonly string[]) => devices.progressOf(ids),
  workOfDevices: ({ devices }: Rooms, ids: readonly string[]) => devices.workOf(ids),
  libraryFile: ({ library }: Rooms, fileName: string) => library.find(fileName),
  libraryFiles: ({ library }: Rooms, _all: null) => library.list(),
  application: ({ applications }: Rooms, id: string) => applications.find(id),
  wantedFiles,
} as const

export type Reads = typeof reads
