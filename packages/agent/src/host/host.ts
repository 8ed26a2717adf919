/** What the rest of the agent may ask of the host that it runs on. A pretended one answers the same questions. */
import { constants } from 'node:fs'
import { access, open } from 'node:fs/promises'
import { join } from 'node:path'
import { bootId, bootSeconds } from './clock.ts'
import { readFacts, type AddressFact } from './facts.ts'
import { makeFolder, readHead, readLastLine, removeFolder, trimFile, unlessGone } from './files.ts'
import { collector, type Collector } from './collector.ts'
import { openExecution } from './execution/execution.ts'
import type { ExecutionControl } from './execution/types.ts'
import { openFirewall } from './firewall/firewall.ts'
import type { Firewall } from './firewall/types.ts'
import { isThisHost } from './own-address.ts'
import { openPuts, type Puts } from './put.ts'
import { readCompressed, type Compressed } from './read-file.ts'
import { openScanner, type Scanner } from './scanner.ts'
import { openScopes } from './scope.ts'
import { UnrunnableScript, readShebang } from './shebang.ts'
import type { Scopes } from './types.ts'
import { readSignedIn, type SignedIn } from './signed-in.ts'

export interface HostFacts {
  readonly hostName: string
  readonly osPlatform: string
  readonly osVersion: string | null
  readonly osBuild: number | null
  readonly osArchitecture: string | null
  readonly osProcessor: string | null
  readonly version: string | null
  readonly ipAddresses: AddressFact[]
  /** Who is signed in; left out where the host cannot tell. */
  readonly users?: SignedIn[]
}

export interface HostFiles {
  makeFolder(path: string): Promise<void>
  /** With all that is in it; one that is not there is no error. */
  removeFolder(path: string): Promise<void>
  /** Cuts a file down to `cap` bytes while its writer goes on appending. One that is not there is no error. */
  trim(path: string, cap: number): Promise<void>
  /** The beginning of a file as text, and whether there was more; null where there is none. */
  readHead(path: string, cap: number): Promise<{ readonly text: string; readonly isCut: boolean } | null>
  /** The last line of a file, shortened, for people to look at; null where there is none. */
  lastLine(path: string): Promise<string | null>
  /** Any file of this host, for a GetFile. Throws in plain words for what is no plain file, unreadable, or over the limit. */
  readCompressed(path: string, limit: number, signal: AbortSignal): Promise<Compressed>
}

export interface Host {
  readonly scopes: Scopes
  /** What lets this host talk to others, or not. */
  readonly firewall: Firewall
  /** What lets this host start programs, or not. */
  readonly execution: ExecutionControl
  readonly files: HostFiles
  /** What actions put on this host. */
  readonly puts: Puts
  readonly scanner: Scanner
  readonly collector: Collector
  /** The whole environment of a script. */
  readonly environment: Readonly<Record<string, string>>
  /** The program that runs a script, with its argument, by the script's first line. Throws in plain words. */
  interpreterOf(path: string): Promise<readonly string[]>
  readFacts(): Promise<HostFacts>
  /** Does this name or address, as a URL has it, mean this very host? Throws where a name cannot be resolved. */
  isThisHost(host: string): Promise<boolean>
  /** Seconds since boot by a clock that counts suspend. */
  bootSeconds(): number
  bootId(): string
  /** ISO 8601; evidence, never compared. */
  now(): string
}

export async function openHost(options: {
  readonly name: string
  /** The agent's own, absolute. */
  readonly dataFolder: string
  readonly log: (line: string) => void
  /** A folder of signatures for the scanner instead of the distribution's. */
  readonly signatures?: string | null
  /** Types of the file systems that a restriction covers, instead of all that are this host's own. */
  readonly fileSystems?: readonly string[] | null
}): Promise<Host> {
  const { name, dataFolder, log, signatures, fileSystems = null } = options
  const scopes = await openScopes({ name, log, folder: join(dataFolder, 'scopes') })
  const firewall = openFirewall({ name, folder: join(dataFolder, 'firewall'), log })
  const execution = openExecution({ name, folder: join(dataFolder, 'execution'), log, fileSystems })
  return hostWith({ scopes, firewall, execution }, dataFolder, signatures)
}

/** A host with other scopes, another firewall and another execution control, everything else as it is. */
export function hostWith(
  { scopes, firewall, execution }: Pick<Host, 'scopes' | 'firewall' | 'execution'>,
  dataFolder: string,
  signatures: string | null = null,
): Host {
  const puts = openPuts(join(dataFolder, 'put'))
  return {
    scopes,
    firewall,
    execution,
    files: { makeFolder, removeFolder, trim, readHead: readText, lastLine, readCompressed },
    puts,
    scanner: openScanner(signatures),
    collector,
    environment: {
      COUNTERMAND_PUT: puts.folder,
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      LANG: 'C.UTF-8',
    },
    interpreterOf,
    isThisHost,
    readFacts: () => {
      const { bootId: _bootId, ipAddresses, ...facts } = readFacts()
      const users = readSignedIn()
      return Promise.resolve({
        ...facts,
        ipAddresses: [...ipAddresses],
        ...(users !== null && { users: [...users] }),
      })
    },
    bootSeconds,
    bootId,
    now: () => new Date().toISOString(),
  }
}

async function trim(path: string, cap: number): Promise<void> {
  // One byte beyond the cap stays, so that the end of the work still shows that there was more.
  await trimFile(path, cap + 1).catch(unlessGone)
}

async function lastLine(path: string): Promise<string | null> {
  return readLastLine(path).catch(unlessGone)
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
