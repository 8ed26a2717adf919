/** A certificate and a key that somebody has brought, and brings again before it ends. */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { ConfigError } from '../config/settings.ts'
import type { Certificates, Pair } from './certificates.ts'

/** Two small files are read as soon as looked after, and a link that is put in their place is seen as well. */
const everyMs = 2_000

interface Paths {
  readonly certificate: string
  readonly key: string
}

/** @throws ConfigError naming the flag whose file cannot be used. */
export async function openOwnFiles(paths: Paths, now: Date): Promise<Certificates> {
  const first = await read(paths)
  refuseUnusable(first, paths, now)
  let shown = lookOf(first)
  let looked = shown
  let refused: string | null = null
  return {
    first,
    ca: null,
    everyMs,
    next: async (later) => {
      const found = await read(paths).catch((thrown: unknown) => thrown)
      const look = lookOf(found)
      // One file is written before the other: what does not fit yet is no fault, so it has to be there twice.
      const isSettled = look === looked
      looked = look
      if (!isSettled || look === shown || look === refused) return null
      refused = look
      if (!isPair(found)) throw found
      refuseUnusable(found, paths, later)
      shown = look
      return found
    },
  }
}

const isPair = (found: unknown): found is Pair =>
  typeof found === 'object' && found !== null && 'cert' in found

/** By what one look is told from another. */
const lookOf = (found: unknown): string => (isPair(found) ? `${found.cert}\n${found.key}` : String(found))

const read = async ({ certificate, key }: Paths): Promise<Pair> => ({
  cert: await text('--tls-cert', certificate),
  key: await text('--tls-key', key),
})

async function text(flag: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (thrown) {
    throw new ConfigError(`${flag}: ${file} cannot be read: ${words(thrown)}`)
  }
}

function refuseUnusable({ cert, key }: Pair, files: Paths, now: Date): void {
  const certificate = parsed('--tls-cert', files.certificate, () => new X509Certificate(cert))
  parsed('--tls-cert', files.certificate, () => createSecureContext({ cert }))
  parsed('--tls-key', files.key, () => createSecureContext({ cert, key }))
  if (certificate.validToDate < now)
    throw new ConfigError(`--tls-cert: ${files.certificate} has expired, on ${certificate.validTo}`)
}

function parsed<T>(flag: string, file: string, parse: () => T): T {
  try {
    return parse()
  } catch (thrown) {
    throw new ConfigError(`${flag}: ${file} cannot be used: ${words(thrown)}`)
  }
}

const words = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown))
