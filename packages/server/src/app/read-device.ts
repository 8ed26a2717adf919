import type { Device } from '../core/device.ts'
import { Refusal } from '../core/errors.ts'
import type { App, Page } from './ports.ts'

/** @throws Refusal ResourceNotFound, in the words that clients match on (`wire.md` 8). */
export async function findDevice(app: App, idOrName: string): Promise<Device> {
  const device = await app.store.read('deviceNamed', idOrName)
  if (device === null) throw new Refusal('ResourceNotFound', `Machine ${idOrName} was not found`)
  return device
}

/** Newest first. */
export const listDevices = (app: App, page: Page): Promise<readonly Device[]> =>
  app.store.read('devices', page)
