/** TLS of one server: what it shows, and to whom it listens. */
import type { FastifyBaseLogger, FastifyServerFactory } from 'fastify'
import type { Config } from '../config/index.ts'
import { every } from '../timers.ts'
import { openCertificates } from './certificates.ts'
import { openTlsListener } from './listener.ts'

export interface ServerTls {
  /** Of the private CA: DER, base64. Null where others vouch for the certificate. */
  readonly ca: string | null
  readonly serverFactory: FastifyServerFactory
  /** Shows the next certificate whenever there is one. The returned function stops that, and waits for a look under way. */
  renew(log: FastifyBaseLogger): () => Promise<void>
}

/** Null where the server speaks plain HTTP. `kept`: the file of a private CA. @throws ConfigError for files that cannot be used. */
export async function openTls(
  { tls, caFile }: Pick<Config, 'tls' | 'caFile'>,
  kept: string,
  now: () => Date,
): Promise<ServerTls | null> {
  const certificates = await openCertificates(tls, { kept, shown: caFile }, now())
  if (certificates === null) return null
  const { serverFactory, show } = openTlsListener(certificates.first)
  const renew: ServerTls['renew'] = (log) => {
    const next = async (): Promise<void> => {
      const pair = await certificates.next(now())
      if (pair === null) return
      show(pair)
      log.info('another certificate is shown from now on')
    }
    return every(certificates.everyMs, next, (err) => log.error({ err }, 'certificate'))
  }
  return { ca: certificates.ca, serverFactory, renew }
}
