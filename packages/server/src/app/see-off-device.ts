import type { Device } from '../core/device.ts'
import { departed } from '../core/offboard.ts'
import { endActions } from './actions/end-actions.ts'
import type { Cause, Rooms } from './rows.ts'

interface Leaving {
  readonly before: Device
  /** As its last statement leaves it. */
  readonly now: Device
  /** The action by which it leaves. */
  readonly action: string
  readonly at: Date
  readonly cause: Cause
}

/**
 * The device has passed the commit point of its offboarding, and said so in the statement that is being taken: it is not heard after
 * this one. What is still open there ends with it, and tokens that were made for it before are worth nothing.
 */
export async function seeOff(rooms: Rooms, { before, now, action, at, cause }: Leaving): Promise<Device> {
  const after = departed(now, at)
  await rooms.devices.save(after, before)
  const tokens = await rooms.enrolments.revokeFor(before.id, at)
  const note = { kind: 'device.offboarded', actor: null, alarm: false, data: { action, tokens } }
  await rooms.events.append(before.id, note, at, cause)
  await endActions(rooms, before.id, 'device_removed', at)
  return after
}
