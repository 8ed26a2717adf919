/** The listener where it speaks TLS: what it shows can be changed while connections last. */
import { createServer, type Server, type ServerOptions } from 'node:https'
import type { FastifyServerFactory } from 'fastify'
import type { Pair } from './certificates.ts'

export interface TlsListener {
  /** For Fastify. */
  readonly serverFactory: FastifyServerFactory
  /** For connections from now on; PEM. */
  readonly show: (pair: Pair) => void
}

/** TLS 1.2 and later, and nothing but TLS. */
export function openTlsListener(first: Pair): TlsListener {
  const minVersion = 'TLSv1.2'
  const servers: Server[] = []
  return {
    serverFactory: (handler, limits) => {
      const server = createServer({ ...first, minVersion, ...timeLimits(limits) }, handler)
      servers.push(server)
      return server
    },
    show: (pair) => {
      for (const server of servers) server.setSecureContext({ ...pair, minVersion })
    },
  }
}

/** As Fastify sets them where it makes the listener itself. */
function timeLimits(limits: Readonly<Record<string, unknown>>): ServerOptions {
  const { keepAliveTimeout, requestTimeout, http } = limits
  return {
    ...(typeof http === 'object' && http),
    // A handshake is a head too.
    handshakeTimeout: 15_000,
    ...(typeof keepAliveTimeout === 'number' && { keepAliveTimeout }),
    ...(typeof requestTimeout === 'number' && { requestTimeout }),
  }
}
