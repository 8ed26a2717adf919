import type { FastifyRequest } from 'fastify'
import type { App } from '../../app/ports.ts'
import { deviceByTicket } from '../../app/device-tickets.ts'

/** The device whose ticket is shown. @throws Refusal Unauthorized */
export const deviceOf = (app: App, { headers }: FastifyRequest): Promise<string> =>
  deviceByTicket(app, /^Bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1] ?? '')
