/** When a device has left for good, and what is kept of it. */
import type { Action } from './action-shape.ts'
import { isOpen } from './action.ts'
import type { Device } from './device.ts'
import { eachAspect, firstStances } from './posture.ts'

/** These ended with an earlier incarnation: what is said of them now is told of that one. */
const ofEarlier: readonly Action['reason'][] = ['device_reenrolled', 'device_removed', 'key_revoked']

/** Has the device said just now that it passed the commit point? Also of an action that nobody waited for any more. */
export function isFarewell(before: Action, after: Action): boolean {
  if (after.type !== 'Offboard') return false
  if (isOpen(before)) return after.phase === 'succeeded'
  const isTold = after.lateOutcome === 'succeeded' && before.lateOutcome !== 'succeeded'
  return isTold && !ofEarlier.includes(after.reason)
}

/** It may not speak from here on, and nothing stands there: what stood was taken off with it. */
export const departed = (device: Device, at: Date): Device => ({
  ...device,
  offboardedAt: at,
  progress: null,
  stances: eachAspect((aspect) => ({
    ...firstStances[aspect],
    ordered: { ...firstStances[aspect].ordered, generation: device.stances[aspect].ordered.generation },
  })),
})
