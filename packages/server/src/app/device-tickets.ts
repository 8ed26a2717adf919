/** What a device shows for its event stream and its files: given with each reply, and good as long as its key is. */
import { whySilent } from '../core/device.ts'
import { Refusal } from '../core/errors.ts'
import type { App } from './ports.ts'

/** Should the device not sync meanwhile. */
const lifetimeMs = 24 * 60 * 60_000
const purpose = 'device'
/** A ticket is worth nothing once the device has enrolled with another key. */
const subjectOf = (machineId: string, keyThumbprint: string): string => `${machineId} ${keyThumbprint}`

export const ticketFor = (app: App, machineId: string, keyThumbprint: string): string =>
  app.signer.seal(purpose, subjectOf(machineId, keyThumbprint), new Date(app.now().getTime() + lifetimeMs))

/** The device that a ticket was given to. @throws Refusal Unauthorized; the device then syncs and gets a new one. */
export async function deviceByTicket(app: App, ticket: string): Promise<string> {
  const subject = app.signer.unseal(purpose, ticket, app.now())
  const [machineId = ''] = subject?.split(' ') ?? []
  const device = subject === null ? null : await app.store.read('device', machineId)
  if (device === null || subjectOf(device.id, device.keyThumbprint ?? '') !== subject) {
    throw new Refusal('Unauthorized', 'The ticket is not valid or over; sync for a new one.')
  }
  const silent = whySilent(device)
  if (silent !== null) throw new Refusal('Unauthorized', silent)
  return machineId
}
