import type { FastifyInstance } from 'fastify'
import type { App } from '../app/ports.ts'
import { Refusal } from '../core/errors.ts'

/** `/healthz`: the process lives. `/readyz`: the store answers, requests can be served. */
export function mountHealth(server: FastifyInstance, app: App): void {
  server.get('/healthz', (_request, reply) => reply.send({ status: 'alive' }))
  server.get('/readyz', async (_request, reply) => {
    try {
      await app.store.read('libraryFile', '')
    } catch {
      throw new Refusal('ServiceUnavailable', 'The store cannot be reached.')
    }
    return reply.send({ status: 'ready' })
  })
}
