/**
 * A CA of this server's own: made once, kept with its keys, and trusted by whoever is told to. What it vouches for is made anew at
 * each start and before it ends, for the names of that start, and is in no file.
 */
// oxlint-disable-next-line import/no-unassigned-import -- `@peculiar/x509` looks for it as it is loaded.
import 'reflect-metadata'
import { existsSync } from 'node:fs'
import { chmod, readFile, rename, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { keepFile } from '../durable.ts'
import type { Certificates, Pair } from './certificates.ts'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const dayMs = 24 * 60 * 60_000
/** Devices keep it for as long as they live; what it vouches for changes instead. */
const caLifetimeMs = 20 * 365 * dayMs
const lifetimeMs = 90 * dayMs
/** With so much left another one is made. */
const renewedAtMs = lifetimeMs / 3
/** Clocks of clients may be behind. */
const backdatedMs = dayMs
const everyMs = 60 * 60_000

export interface PrivateCaOptions {
  /** The file that holds certificate and key. */
  readonly kept: string
  /** The file with the certificate alone, which anybody may read. */
  readonly shown: string
  /** DNS names and addresses. */
  readonly names: readonly string[]
}

interface Ca {
  readonly certificate: X509Certificate
  readonly key: CryptoKey
}

/** Opens it, or makes it on the first start, and vouches for the names. */
export async function openPrivateCa(
  { kept, shown, names }: PrivateCaOptions,
  now: Date,
): Promise<Certificates> {
  if (!existsSync(kept)) await keepFile(kept, await makeCa(now))
  const ca = await readCa(kept)
  await publish(shown, ca.certificate.toString('pem'))
  let madeAt = now
  return {
    first: await vouchFor(ca, names, now),
    ca: Buffer.from(ca.certificate.rawData).toString('base64'),
    everyMs,
    next: async (later) => {
      if (later.getTime() - madeAt.getTime() < lifetimeMs - renewedAtMs) return null
      madeAt = later
      return vouchFor(ca, names, later)
    },
  }
}

/** PEM of certificate and key, one after the other. */
async function makeCa(now: Date): Promise<string> {
  const keys = await makeKeys()
  const keyId = await SubjectKeyIdentifierExtension.create(keys.publicKey)
  const certificate = await X509CertificateGenerator.createSelfSigned({
    // Stores of trusted certificates list them by name.
    name: `CN=Countermand private CA ${keyId.keyId.slice(0, 8)}`,
    keys,
    signingAlgorithm: algorithm,
    ...validity(now, caLifetimeMs),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      keyId,
    ],
  })
  return `${certificate.toString('pem')}\n${await keyText(keys.privateKey)}\n`
}

async function readCa(file: string): Promise<Ca> {
  const [certificate, key] = PemConverter.decode(await readFile(file, 'utf8'))
  if (certificate === undefined || key === undefined)
    throw new Error(`${file} does not hold a certificate and its key.`)
  return {
    certificate: new X509Certificate(certificate),
    key: await crypto.subtle.importKey('pkcs8', key, algorithm, false, ['sign']),
  }
}

async function vouchFor({ certificate, key }: Ca, names: readonly string[], now: Date): Promise<Pair> {
  const keys = await makeKeys()
  const vouched = await X509CertificateGenerator.create({
    subject: 'CN=Countermand',
    issuer: certificate.subject,
    publicKey: keys.publicKey,
    signingKey: key,
    signingAlgorithm: algorithm,
    ...validity(now, lifetimeMs),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
      ),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(certificate.publicKey),
    ],
  })
  return { cert: vouched.toString('pem'), key: await keyText(keys.privateKey) }
}

const makeKeys = (): Promise<CryptoKeyPair> => crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])

const keyText = async (key: CryptoKey): Promise<string> =>
  PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')

const validity = (now: Date, forMs: number): { notBefore: Date; notAfter: Date } => ({
  notBefore: new Date(now.getTime() - backdatedMs),
  notAfter: new Date(now.getTime() + forMs),
})

/** Whole or not at all, and for everybody to read. */
async function publish(file: string, text: string): Promise<void> {
  await writeFile(`${file}.tmp`, `${text}\n`, { mode: 0o644 })
  await chmod(`${file}.tmp`, 0o644)
  await rename(`${file}.tmp`, file)
}
