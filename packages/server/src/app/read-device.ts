import type { Device } from '../core/device.ts'
import { Refusal } from '../core/errors.ts'
import type { App } from './ports.ts'
import type { Listed, ListQuery } from './rows.ts'

/** @throws Refusal ResourceNotFound, in the words that clients match on (`wire.md` 8). */
export const findDevice = async (app: App, id: string): Promise<Device> =>
  found(await app.store.read('device', id.toLowerCase()), id)

/** By id or by computer name. */
export const findDeviceNamed = async (app: App, idOrName: string): Promise<Device> =>
  found(await app.store.read('deviceNamed', idOrName), idOrName)

function found(device: Device | null, asked: string): Device {
  if (device === null) throw new Refusal('ResourceNotFound', `Machine ${asked} was not found`)
  return device
}

/** By the order that is asked for, then the newest first. */
export const listDevices = (app: App, query: ListQuery): Promise<Listed<Device>> =>
  app.store.read('devices', query)
