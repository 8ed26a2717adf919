/** Files to be taken away in tests: each in a folder of its own, on the quarantine's file system or on another one. */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Scratch {
  /** Where the quarantine is. */
  readonly folder: string
  /** On the same file system. */
  readonly near: string
  /** On another one. */
  readonly far: string
}

export const hasTwoFileSystems = existsSync('/dev/shm') && statSync('/dev/shm').dev !== statSync(tmpdir()).dev

export async function inScratch(play: (scratch: Scratch) => Promise<void>): Promise<void> {
  const own = mkdtempSync(join(tmpdir(), 'countermand-quarantine-'))
  const far = hasTwoFileSystems ? mkdtempSync('/dev/shm/countermand-quarantine-') : join(own, 'far')
  const near = join(own, 'near')
  for (const folder of [near, far]) mkdirSync(folder, { recursive: true })
  try {
    await play({ folder: join(own, 'quarantine'), near, far })
  } finally {
    for (const folder of [own, far]) rmSync(folder, { recursive: true, force: true })
  }
}

export const sha1Of = (content: string | Buffer): string => createHash('sha1').update(content).digest('hex')

/** A program that nobody else has: the system's sleep, and something behind it. Its hash. */
export function makeProgram(path: string, mode = 0o755): string {
  copyFileSync('/bin/sleep', path)
  appendFileSync(path, randomBytes(16))
  chmodSync(path, mode)
  return sha1Of(readFileSync(path))
}

/** The letter of a process in /proc: T where it is stopped. */
export const stateOf = (pid: number | undefined): string =>
  /\) (\S)/.exec(readFileSync(`/proc/${pid ?? 0}/stat`, 'utf8'))?.[1] ?? ''

/** All that a file is beside its content, times to the nanosecond. */
export function lookAt(path: Buffer | string): object {
  const { mode, uid, gid, mtimeNs, size, nlink } = lstatSync(path, { bigint: true })
  return { mode, uid, gid, mtimeNs, size, nlink, content: readFileSync(path, 'latin1') }
}

/** Sets extended attributes of a file: one of the user's, and a capability. */
export function decorate(path: string): void {
  execFileSync('setfattr', ['-n', 'user.note', '-v', 'as it was', path])
  // cap_net_raw+ep, as the kernel keeps it.
  execFileSync('setfattr', [
    '-n',
    'security.capability',
    '-v',
    '0x0100000200200000000000000000000000000000',
    path,
  ])
}

export const attributesOf = (path: string): string =>
  execFileSync('getfattr', ['--absolute-names', '-d', '-m', '-', '-e', 'hex', path], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes('='))
    .toSorted()
    .join('\n')

const child = join(import.meta.dirname, 'child.ts')

/** Runs `child.ts`, around it what `before` says; its answer, or why there is none. */
export function inChild(
  args: readonly string[],
  before: readonly string[] = [],
): { readonly value: unknown; readonly signal: string | null; readonly error: string } {
  const [command = '', ...rest] = [...before, process.execPath, child, ...args]
  const { stdout, stderr, signal, status } = spawnSync(command, rest, { encoding: 'utf8', timeout: 60_000 })
  const value: unknown = status === 0 ? JSON.parse(stdout) : null
  return { value, signal, error: stderr.trim() }
}
