import type { Device } from '../core/device.ts'
import { Refusal } from '../core/errors.ts'
import { labelled, recordOfLabels, type Label } from '../core/labels.ts'
import type { App } from './ports.ts'
import type { Rooms, Work } from './rows.ts'

export interface Labelling {
  readonly ids: readonly string[]
  readonly label: Label
  readonly by: string
}

/** Labels all of these devices or none. @throws Refusal ResourceNotFound, InvalidInput */
export const labelDevices = (app: App, labelling: Labelling): Promise<readonly Device[]> =>
  app.store.write('keepLabels', labelling)

/** @throws Refusal as `labelDevices` */
export async function labelDevice(app: App, { id }: Device, label: Label, by: string): Promise<Device> {
  const [device] = await labelDevices(app, { ids: [id], label, by })
  if (device === undefined) throw new Error('One device was labelled, and none came back.')
  return device
}

export const keepLabels: Work<Labelling, readonly Device[]> = async (rooms, { ids, label, by }, { at }) => {
  const devices: Device[] = []
  for (const id of ids) devices.push(await keepLabel(rooms, { id, label, by }, at))
  return devices
}

async function keepLabel(
  { devices, events }: Rooms,
  { id, label, by }: { readonly id: string; readonly label: Label; readonly by: string },
  at: Date,
): Promise<Device> {
  const before = await devices.find(id.toLowerCase())
  if (before === null) throw new Refusal('ResourceNotFound', `Machine ${id} was not found`)
  const after = labelled(before, label)
  const notes = recordOfLabels(before, after)
  if (notes.length === 0) return before
  await devices.label(after, before)
  for (const note of notes) await events.append(before.id, { ...note, actor: by, alarm: false }, at)
  return after
}
