// Who is signed in, by the file that login programs keep (utmp, 5). Distributions that have given it up have none.
import { existsSync, readFileSync } from 'node:fs'
import { arch } from 'node:os'

export interface SignedIn {
  readonly name: string
  /** `RemoteInteractive` for who came from another host. */
  readonly type: 'Interactive' | 'RemoteInteractive'
}

const utmpFile = '/var/run/utmp'
/** Bytes of one entry in glibc: times are 64 bits wide where there never was a 32-bit sibling to agree with. */
const entrySizes: Partial<Record<string, number>> = { x64: 384, ia32: 384, arm: 384, arm64: 400 }
/** USER_PROCESS. */
const userProcess = 7
const most = 256

/** Each user once for each way of being there; null where the host cannot tell. */
export function readSignedIn(): readonly SignedIn[] | null {
  const size = entrySizes[arch()]
  if (size === undefined) return null
  try {
    return signedInOf(readFileSync(utmpFile), size, (pid) => existsSync(`/proc/${pid}`))
  } catch {
    return null
  }
}

/** Entries outlive who was killed, so the process of each must still be there. */
export function signedInOf(
  utmp: Buffer,
  entrySize: number,
  isThere: (pid: number) => boolean,
): readonly SignedIn[] {
  const found = new Map<string, SignedIn>()
  for (let at = 0; at + entrySize <= utmp.length && found.size < most; at += entrySize) {
    const name = textAt(utmp, at + 44, 32)
    if (utmp.readInt16LE(at) !== userProcess || name === '' || !isThere(utmp.readInt32LE(at + 4))) continue
    const host = textAt(utmp, at + 76, 256)
    // A desktop writes its own display there (`:0`).
    const type = host === '' || host.startsWith(':') ? 'Interactive' : 'RemoteInteractive'
    found.set(`${type} ${name}`, { name, type })
  }
  return [...found.values()].toSorted((a, b) => (`${a.name} ${a.type}` < `${b.name} ${b.type}` ? -1 : 1))
}

const textAt = (bytes: Buffer, at: number, length: number): string =>
  bytes.toString('utf8', at, at + length).split('\0', 1)[0] ?? ''
