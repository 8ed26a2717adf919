/** Enrolment and sync: one signed text in, one signed text out. What they mean is decided in `app`. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { devicePaths } from '@countermand/contract'
import { enrolDevice } from '../../app/enrol-device.ts'
import type { App } from '../../app/ports.ts'
import { syncDevice, type Way } from '../../app/sync-device.ts'
import { killPoint } from '../../kill-points.ts'
import { bytesOf } from '../operation.ts'

/** A statement with the most news that one may have. */
const bodyLimit = 8 * 1024 * 1024

const text = (request: FastifyRequest): string => bytesOf(request).toString('utf8').trim()

/** Behind a proxy the address that was reached is the proxy's business. */
const wayOf = ({ ip, socket }: FastifyRequest): Way => ({
  address: ip,
  here: ip === socket.remoteAddress ? (socket.localAddress ?? null) : null,
})

export function mountExchange(server: FastifyInstance, app: App): void {
  server.post(devicePaths.enrol, { bodyLimit }, async (request, reply) =>
    reply.type('application/jose').send(await enrolDevice(app, text(request))),
  )
  server.post(devicePaths.sync, { bodyLimit }, async (request, reply) => {
    killPoint('statement-received')
    return reply.type('application/jose').send(await syncDevice(app, text(request), wayOf(request)))
  })
}
