import type { Kysely } from 'kysely'
import type { Moment, Rooms, Work } from '../app/rows.ts'
import { openActions } from './actions.ts'
import { openApplications } from './applications.ts'
import { openDevices } from './devices.ts'
import { openEnrolments } from './enrolments.ts'
import { openEvents } from './events.ts'
import { openIdempotency } from './idempotency-keys.ts'
import { openLibrary } from './library-files.ts'
import type { Tables } from './schema.ts'
import type { Touched } from './touched.ts'

export const roomsOf = (db: Kysely<Tables>, touched: Touched): Rooms => ({
  actions: openActions(db, touched),
  devices: openDevices(db),
  events: openEvents(db, touched),
  library: openLibrary(db),
  applications: openApplications(db),
  enrolments: openEnrolments(db),
  idempotency: openIdempotency(db),
})

/** Named work, whose inputs and answers have been paired by the port; from here on they are only passed through. */
export type Works = Readonly<Record<string, Work<never, unknown>>>

/** One piece of work as it waits and travels. */
export interface Item {
  readonly name: string
  readonly input: unknown
  readonly at: Date
}

/** @throws what the work throws */
export function perform(works: Works, item: Item, rooms: Rooms, known: Omit<Moment, 'at'>): Promise<unknown> {
  const work = works[item.name]
  if (work === undefined) throw new Error(`There is no work called ${item.name}.`)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the port has paired them
  return work(rooms, item.input as never, { ...known, at: item.at })
}
