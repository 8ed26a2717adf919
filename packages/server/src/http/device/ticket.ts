import type { FastifyRequest } from 'fastify'
import type { App } from '../../app/ports.ts'
import { ticketPurpose } from '../../app/sync-device.ts'
import { Refusal } from '../../core/errors.ts'

/** The device whose ticket is shown. @throws Refusal Unauthorized; the device then syncs and gets a new one. */
export function deviceOf(app: App, request: FastifyRequest): string {
  const shown = /^Bearer\s+(\S+)\s*$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
  const machineId = app.signer.unseal(ticketPurpose, shown, app.now())
  if (machineId === null)
    throw new Refusal('Unauthorized', 'The ticket is not valid or over; sync for a new one.')
  return machineId
}
