import { machineReaders } from '@countermand/contract'
import type { FastifyInstance } from 'fastify'
import type { App } from '../app/ports.ts'
import type { Check, Guarded } from './operation.ts'

/** Who may read `/metrics`: whoever reaches this server, who may read machines, or nobody. */
export type MetricsAccess = 'open' | 'token' | 'off'

const guarded: Guarded = { name: 'metrics', permission: machineReaders, limit: 'read', target: 'none' }

/** `/metrics` for Prometheus, which can fetch a token from us by itself (`docs/watching.md`). */
export function mountMetrics(
  server: FastifyInstance,
  { app, checks }: { readonly app: App; readonly checks: readonly Check[] },
  access: MetricsAccess,
): void {
  if (access === 'off') return
  const needed = access === 'token' ? checks : []
  server.route({
    method: 'GET',
    url: '/metrics',
    onRequest: async (request, reply) => {
      for (const check of needed) await check(guarded, request, reply)
    },
    handler: async (_request, reply) => {
      const { contentType, text } = await app.meter.expose()
      return reply.type(contentType).send(text)
    },
  })
}
