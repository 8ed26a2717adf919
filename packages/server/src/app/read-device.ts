import type { Device } from '../core/device.ts'
import { Refusal } from '../core/errors.ts'
import type { App } from './ports.ts'

/** @throws Refusal ResourceNotFound, in the words that clients match on (`wire.md` 8). */
export async function findDevice(app: App, idOrName: string): Promise<Device> {
  const device = await app.store.read(({ devices }) => devices.findNamed(idOrName))
  if (device === null) throw new Refusal('ResourceNotFound', `Machine ${idOrName} was not found`)
  return device
}

/** Newest first. */
export const listDevices = (app: App, page: { top: number; skip: number }): Promise<readonly Device[]> =>
  app.store.read(({ devices }) => devices.list(page))
