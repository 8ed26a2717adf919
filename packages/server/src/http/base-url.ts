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
 * by the name, where that is the public URL's, or from its `X-Forwarded-` headers, which are believed where the proxy is trusted
 * (`--trusted-proxies`): in answers that somebody else keeps, anybody's could lead anywhere.
 */
export function baseOf({ host, protocol, server }: FastifyRequest): string {
  if (server.publicUrl.host === host.toLowerCase()) return server.publicUrl.base
  return `${protocol === 'https' ? 'https' : 'http'}://${host}`
}
