/** What is wrong on purpose, to see it found: a check that finds nothing proves nothing. */
import { Reply, fits } from '@countermand/contract'
import { openOrder } from '../../packages/agent/src/verify.ts'
import type { Rooms } from '../../packages/server/src/app/rows.ts'
import type { Action } from '../../packages/server/src/core/action-shape.ts'
import type { Clock } from './clock.ts'
import { SimulatedFile, type Disk } from './disk.ts'
import type { OpenReply } from './stage.ts'

export interface Faults {
  /** Stands between the server's work and its rows. */
  readonly rooms?: (rooms: Rooms) => Rooms
  /** The device's gate for replies. */
  readonly openReply?: OpenReply
  /** The device's clock. */
  readonly bootSeconds?: (clock: Clock) => number
  readonly disk?: (disk: Disk) => void
}

const unseen = (action: Action): Action =>
  action.cancel !== null && (action.phase === 'queued' || action.phase === 'offered')
    ? { ...action, cancel: { ...action.cancel, state: 'confirmed', undelivered: false } }
    : action

/** Whoever offers takes the cancel for settled. */
function offersPastCancel(rooms: Rooms): Rooms {
  return {
    ...rooms,
    actions: {
      ...rooms.actions,
      liveOf: async (machineId) => (await rooms.actions.liveOf(machineId)).map(unseen),
      advance: async (action, event, at, cause) => {
        const seen = event.kind === 'offered' ? action : await rooms.actions.find(action.id)
        return rooms.actions.advance(seen ?? action, event, at, cause)
      },
    },
  }
}

/** Any reply of the right server to this device will do, whatever it answers. */
const takesAnyNonce: OpenReply = async (jws, { type, orderKey, machineId }) => {
  const reply = await openOrder(jws, { type, orderKey })
  return fits(Reply, reply) && reply.machineId === machineId ? reply : null
}

export const planted: Readonly<Record<string, Faults>> = {
  'an offer that skips the cancel check': { rooms: offersPastCancel },
  'a reply taken for an older nonce': { openReply: takesAnyNonce },
  'a clock that stands still while the machine sleeps': { bootSeconds: ({ ticks }) => ticks },
  'a sync to disk that does nothing': {
    disk: (disk) => {
      disk.isSyncing = false
    },
  },
  'a start file that two can make': {
    disk: (disk) => {
      const link = disk.link.bind(disk)
      disk.link = (from, to) => {
        if (disk.find(to) instanceof SimulatedFile) disk.remove(to)
        link(from, to)
      }
    },
  },
}
