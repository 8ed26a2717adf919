/**
 * fapolicyd as processes of this host. Reads `/proc` alone, and at once: while the daemon is stopped, whoever opens a file that it
 * watches waits for it, and with them all of Node's threads for files.
 */
import { readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { codeOf } from '../files.ts'
import { rulesFiles, type RulesFile } from './policy.ts'

export interface Daemon {
  readonly pid: number
  readonly isOurs: boolean
  readonly isStopped: boolean
}

/** The daemon's own, which keeps a second one from starting: two would wait for each other for ever. */
const pidFile = '/run/fapolicyd.pid'

/** All that run. `source`: the name of the file systems that ours has mounted. */
export function findDaemons(source: string): Daemon[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isNamedSo(name))
    .flatMap((name) => lookAt(Number(name), source) ?? [])
}

/** Of all that the kernel says of a process, this costs least. */
const isNamedSo = (pid: string): boolean => read(`/proc/${pid}/comm`) === 'fapolicyd\n'

/** Null where it is none, or has ended. */
export function lookAt(pid: number, source: string): Daemon | null {
  const [, name, state] = /^\d+ \((.*)\) (\S)/s.exec(read(`/proc/${pid}/stat`)) ?? []
  if (name !== 'fapolicyd' || state === undefined || 'ZXx'.includes(state)) return null
  const isOurs = read(`/proc/${pid}/mountinfo`).includes(` - tmpfs ${source} `)
  return { pid, isOurs, isStopped: 'Tt'.includes(state) }
}

/** The devices of the file systems that the kernel asks it about. */
export function watchedBy(pid: number): string[] {
  const folder = `/proc/${pid}/fdinfo`
  return names(folder).flatMap((name) =>
    [...read(join(folder, name)).matchAll(/^fanotify sdev:(\S+) /gm)].map(([, device = '']) => device),
  )
}

/** A file's device, as the kernel prints those. */
export function deviceOf(path: string): string {
  const { major, minor } = numbersOf(statSync(path).dev)
  return ((major << 20) | minor).toString(16)
}

export const numbersOf = (dev: number): { major: number; minor: number } => ({
  major: (dev >>> 8) & 0xfff,
  minor: (dev & 0xff) | ((dev >>> 12) & 0xfff00),
})

/** By which of the rules in this folder it was started; null where it was by others. */
export function rulesOfDaemon(pid: number, folder: string): RulesFile | null {
  const its = identityOf(`/proc/${pid}/root/etc/fapolicyd/compiled.rules`)
  return its === null ? null : (rulesFiles.find((name) => identityOf(join(folder, name)) === its) ?? null)
}

/** A kill, as one that is stopped or hangs heeds nothing else; the kernel lets go whoever waits for it. */
export async function end(pid: number, source: string): Promise<void> {
  signal(pid, 'SIGKILL')
  for (let tries = 0; lookAt(pid, source) !== null; tries += 1) {
    if (tries === 500) throw new Error(`fapolicyd (pid ${pid}) was killed and has not ended.`)
    await pause(10)
  }
}

/** Takes away the pid of one that was killed: another would not start. */
export function forgetEnded(): void {
  const pid = read(pidFile).trim()
  if (pid !== '' && lookAt(Number(pid), '') === null) rmSync(pidFile, { force: true })
}

export const letGoOn = (pid: number): void => signal(pid, 'SIGCONT')

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (thrown) {
    if (codeOf(thrown) !== 'ESRCH') throw thrown
  }
}

function identityOf(path: string): string | null {
  try {
    const { dev, ino } = statSync(path)
    return `${dev} ${ino}`
  } catch {
    return null
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
