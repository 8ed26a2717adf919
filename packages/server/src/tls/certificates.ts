/** What the listener shows to clients, now and later. */
import type { Tls } from '../config/tls.ts'
import { openOwnFiles } from './own-files.ts'

/** PEM: a certificate, with those above it if any, and its key. */
export interface Pair {
  readonly cert: string
  readonly key: string
}

export interface Certificates {
  /** What is shown at first. */
  readonly first: Pair
  /** Of the private CA: DER, base64. Null where others vouch for the certificate. */
  readonly ca: string | null
  /** What is to be shown from now on; null while what is shown will do. @throws Error for a new one that cannot be used. */
  next(now: Date): Promise<Pair | null>
  /** How often `next` is to be asked. */
  readonly everyMs: number
}

export interface CertificateFiles {
  /** Where the private CA is kept, for its owner. */
  readonly kept: string
  /** Where its certificate is put, for everybody who is to trust it. */
  readonly shown: string | null
}

/** Null where the server speaks no TLS. @throws ConfigError for files that cannot be used. */
export async function openCertificates(
  tls: Tls,
  { kept, shown }: CertificateFiles,
  now: Date,
): Promise<Certificates | null> {
  if (tls.kind === 'own') return openOwnFiles(tls, now)
  if (tls.kind === 'off' || shown === null) return null
  // What makes certificates takes a while to load, and most servers make none.
  const { openPrivateCa } = await import('./private-ca.ts')
  return openPrivateCa({ kept, shown, names: tls.names }, now)
}
