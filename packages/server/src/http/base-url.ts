/** Under which address a client has asked, so that links lead back the same way. */
import type { FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface FastifyInstance {
    /** Of the configuration: its host as clients send it, and all of it. */
    publicUrl: { readonly host: string; readonly base: string }
  }
}

/**
 * Scheme and host that were asked, for links in answers. A proxy that ends TLS asks in plain HTTP: what it was asked itself is known
 * by the name, where that is the public URL's, or from `X-Forwarded-Proto`. The header is believed from anybody: who makes it up
 * changes the links of its own answer only.
 */
export function baseOf(request: FastifyRequest): string {
  const { host, headers, server } = request
  if (server.publicUrl.host === host.toLowerCase()) return server.publicUrl.base
  const isTls = /^https(,|$)/i.test(String(headers['x-forwarded-proto']))
  return `${isTls ? 'https' : request.protocol}://${host}`
}
