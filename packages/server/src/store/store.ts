import type { Kysely } from 'kysely'
import type { Change, Rooms, Store } from '../app/ports.ts'
import { openActions } from './actions.ts'
import { openApplications } from './applications.ts'
import { openDevices } from './devices.ts'
import { openEnrolments } from './enrolments.ts'
import { openEvents } from './events.ts'
import { openLibrary } from './library-files.ts'
import type { Tables } from './schema.ts'
import { StaleWrite } from './stale-write.ts'
import { nothingTouched, type Touched } from './touched.ts'

/** More than this many writers in a row being faster is no accident. */
const mostTries = 20

/** `committed` is told of every commit, after it is on disk. */
export function openStore(db: Kysely<Tables>, committed: (change: Change) => void): Store {
  const attempt = async <T>(work: (rooms: Rooms) => Promise<T>): Promise<T> => {
    const touched = nothingTouched()
    const result = await db.transaction().execute((tx) => work(roomsOf(tx, touched)))
    if (touched.actions.size + touched.wake.size > 0) {
      committed({ actions: [...touched.actions], wake: [...touched.wake] })
    }
    return result
  }
  return {
    read: (work) => work(roomsOf(db, nothingTouched())),
    write: async (work) => {
      for (let tries = 1; ; tries += 1) {
        try {
          return await attempt(work)
        } catch (thrown) {
          if (!(thrown instanceof StaleWrite) || tries === mostTries) throw thrown
        }
      }
    },
    close: () => db.destroy(),
  }
}

const roomsOf = (db: Kysely<Tables>, touched: Touched): Rooms => ({
  actions: openActions(db, touched),
  devices: openDevices(db),
  events: openEvents(db, touched),
  library: openLibrary(db),
  applications: openApplications(db),
  enrolments: openEnrolments(db),
})
