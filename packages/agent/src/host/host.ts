/** What the rest of the agent may ask of the host that it runs on. A pretended one answers the same questions. */
import { constants } from 'node:fs'
import { access, open } from 'node:fs/promises'
import { bootId, bootSeconds } from './clock.ts'
import { readFacts, type AddressFact } from './facts.ts'
import { makeFolder, readHead, trimFile } from './files.ts'
import { openScanner, type Scanner } from './scanner.ts'
import { openScopes } from './scope.ts'
import { UnrunnableScript, readShebang } from './shebang.ts'
import type { Scopes } from './types.ts'

export interface HostFacts {
  readonly hostName: string
  readonly osPlatform: string
  readonly osVersion: string | null
  readonly osBuild: number | null
  readonly osArchitecture: string | null
  readonly osProcessor: string | null
  readonly version: string | null
  readonly ipAddresses: AddressFact[]
}

export interface HostFiles {
  makeFolder(path: string): Promise<void>
  /** Cuts a file down to `cap` bytes while its writer goes on appending. One that is not there is no error. */
  trim(path: string, cap: number): Promise<void>
  /** The beginning of a file as text, and whether there was more; null where there is none. */
  readHead(path: string, cap: number): Promise<{ readonly text: string; readonly isCut: boolean } | null>
}

export interface Host {
  readonly scopes: Scopes
  readonly files: HostFiles
  readonly scanner: Scanner
  /** The whole environment of a script. */
  readonly environment: Readonly<Record<string, string>>
  /** The program that runs a script, with its argument, by the script's first line. Throws in plain words. */
  interpreterOf(path: string): Promise<readonly string[]>
  readFacts(): Promise<HostFacts>
  /** Seconds since boot by a clock that counts suspend. */
  bootSeconds(): number
  bootId(): string
  /** ISO 8601; evidence, never compared. */
  now(): string
}

export async function openHost(options: {
  readonly name: string
  readonly folder: string
  readonly log: (line: string) => void
  /** A folder of signatures for the scanner instead of the distribution's. */
  readonly signatures?: string | null
}): Promise<Host> {
  return hostWith(await openScopes(options), options.signatures)
}

/** A host with other scopes, everything else as it is. */
export function hostWith(scopes: Scopes, signatures: string | null = null): Host {
  return {
    scopes,
    files: { makeFolder, trim, readHead: readText },
    scanner: openScanner(signatures),
    environment: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      LANG: 'C.UTF-8',
    },
    interpreterOf,
    readFacts: () => {
      const { bootId: _bootId, ipAddresses, ...facts } = readFacts()
      return Promise.resolve({ ...facts, ipAddresses: [...ipAddresses] })
    },
    bootSeconds,
    bootId,
    now: () => new Date().toISOString(),
  }
}

const unlessGone = (thrown: unknown): null => {
  if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return null
  throw thrown
}

async function trim(path: string, cap: number): Promise<void> {
  // One byte beyond the cap stays, so that the end of the work still shows that there was more.
  await trimFile(path, cap + 1).catch(unlessGone)
}

async function readText(path: string, cap: number): Promise<{ text: string; isCut: boolean } | null> {
  const head = await readHead(path, cap + 1).catch(unlessGone)
  if (head === null) return null
  return { text: new TextDecoder().decode(head.subarray(0, cap)), isCut: head.length > cap }
}

/** Enough for the kernel to see what a file is. */
const firstLine = 256

async function interpreterOf(path: string): Promise<readonly string[]> {
  const file = await open(path, 'r')
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(firstLine), 0, firstLine, 0)
    const shebang = readShebang(buffer.subarray(0, bytesRead))
    if (shebang === null) return ['/bin/sh']
    await access(shebang.interpreter, constants.X_OK).catch(() => {
      throw new UnrunnableScript(`The script asks for ${shebang.interpreter}, which this host does not have.`)
    })
    return shebang.argument === null ? [shebang.interpreter] : [shebang.interpreter, shebang.argument]
  } finally {
    await file.close()
  }
}
