import type { Device } from '../core/device.ts'
import { Refusal } from '../core/errors.ts'
import { aroundMs, hadAddress, longestAgoMs } from '../core/sightings.ts'
import type { App } from './ports.ts'

/**
 * Who had this address within a quarter of an hour of that time, newest first. `address` is written as hosts write it.
 * @throws Refusal InvalidInput for a time that is not within the last 30 days
 */
export async function devicesAt(app: App, address: string, time: Date): Promise<readonly Device[]> {
  const ago = app.now().getTime() - time.getTime()
  if (ago > longestAgoMs || ago < -aroundMs)
    throw new Refusal('InvalidInput', 'The timestamp must be within the last 30 days.')
  const devices = await app.store.read('devicesAt', address)
  return devices.filter((device) => hadAddress(device, address, time))
}

/** With this tag, or with one that begins so; newest first. */
export const devicesTagged = (app: App, tag: string, isStart: boolean): Promise<readonly Device[]> =>
  app.store.read('devicesTagged', { tag, isStart })
