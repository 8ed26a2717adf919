/** Everything that is only looked at, by name. One look at one state: a read never waits for a write. */
import { wantedFiles } from './files/sweep-files.ts'
import type { ListQuery, Moment, Rooms } from './rows.ts'

export const reads = {
  action: ({ actions }: Rooms, id: string) => actions.find(id),
  actions: ({ actions }: Rooms, query: ListQuery) => actions.list(query),
  actionsToLookAt: ({ actions }: Rooms, { at, most }: { at: Date; most: number }) =>
    actions.toLookAt(at, most),
  actionCounts: ({ actions }: Rooms, { after, most }: { after: number; most: number }) =>
    actions.count(after, most),
  actionEvents: ({ events }: Rooms, id: string) => events.ofAction(id),
  eventsAfter: ({ events }: Rooms, { place, most }: { place: number; most: number }) =>
    events.after(place, most),
  lastEvent: ({ events }: Rooms, _all: null) => events.last(),
  device: ({ devices }: Rooms, id: string) => devices.find(id),
  deviceNamed: ({ devices }: Rooms, idOrName: string) => devices.findNamed(idOrName),
  devicesAt: ({ devices }: Rooms, address: string) => devices.withAddress(address),
  devicesTagged: ({ devices }: Rooms, { tag, isStart }: { tag: string; isStart: boolean }) =>
    devices.withTag(tag, isStart),
  devices: ({ devices }: Rooms, query: ListQuery, { at }: Moment) => devices.list(query, at),
  progressOf: ({ devices }: Rooms, ids: readonly string[]) => devices.progressOf(ids),
  workOfDevices: ({ devices }: Rooms, ids: readonly string[]) => devices.workOf(ids),
  libraryFile: ({ library }: Rooms, fileName: string) => library.find(fileName),
  libraryFiles: ({ library }: Rooms, _all: null) => library.list(),
  application: ({ applications }: Rooms, id: string) => applications.find(id),
  applications: ({ applications }: Rooms, _all: null) => applications.list(),
  standingOf: ({ applications }: Rooms, ids: readonly string[]) => applications.standingOf(ids),
  enrolmentToken: ({ enrolments }: Rooms, id: string) => enrolments.findById(id),
  enrolmentTokens: ({ enrolments }: Rooms, _all: null) => enrolments.list(),
  wantedFiles,
} as const

export type Reads = typeof reads
