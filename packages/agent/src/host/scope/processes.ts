// Processes as /proc shows them. Read synchronously: a scan must be faster than what it hunts, and a read takes 10 µs.
import { readFileSync, readdirSync } from 'node:fs'
import type { Found } from '../types.ts'
import { isWrapperText, wrapperName } from './wrapper-text.ts'

/** The variable that marks whatever an action starts; its value is the action's id. */
export const mark = 'COUNTERMAND_ACTION'

const longestCommand = 200
/** PF_KTHREAD among a process's flags. */
const kernelThread = 0x00200000

/** One process at one moment. A pid alone names nobody, it is used again; pid and start time together do. */
export interface Process {
  readonly pid: number
  readonly parent: number
  readonly session: number
  /** In clock ticks since boot. */
  readonly startedAt: number
  readonly isDead: boolean
  /** A thread of the kernel's own: it has no environment, and on a host of many cores most are. */
  readonly isKernel: boolean
}

/** Reads a line of /proc/PID/stat; null if it is none. The name in parentheses may hold blanks and parentheses itself. */
export function parseStat(line: string): Process | null {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const [state, parent, , session] = fields
  const [pid, threads, startedAt] = [Number.parseInt(line, 10), Number(fields[17]), Number(fields[19])]
  if (!state || !(pid > 0) || !Number.isFinite(startedAt)) return null
  // A process whose first thread has ended looks like a zombie, and its other threads run on.
  const isDead = /[Xx]/.test(state) || (state === 'Z' && threads <= 1)
  const isKernel = (Number(fields[6]) & kernelThread) !== 0
  return { pid, parent: Number(parent), session: Number(session), startedAt, isDead, isKernel }
}

/** The process with this pid (or thread id) now, or null. */
export function findProcess(pid: number): Process | null {
  const line = read(pid, 'stat')
  return line === null ? null : parseStat(line)
}

/** Every process, the newest first where pids have not wrapped: what keeps forking is met before it has moved on. */
export function listProcesses(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .toSorted((a, b) => b - a)
}

/** Was the process started with this action's mark in its environment? False where that may not be read. */
export function carriesMark(pid: number, actionId: string): boolean {
  const environment = read(pid, 'environ')
  return environment !== null && `\0${environment}\0`.includes(`\0${mark}=${actionId}\0`)
}

/** Names a process for people. */
export function describe(pid: number): Found {
  const line = read(pid, 'cmdline') ?? ''
  const words = line.replace(/\0$/, '').split('\0')
  const shown = words.map((word) => (isWrapperText(word) ? wrapperName : word)).join(' ')
  const command = shown.replaceAll(/\p{Cc}/gu, ' ').slice(0, longestCommand)
  return { pid, command: command || `[${read(pid, 'comm')?.trim() ?? 'gone'}]` }
}

/** Sends a signal if the pid still means the same process. Between look and signal lie some microseconds. */
export function signalProcess({ pid, startedAt }: Process, signal: NodeJS.Signals): void {
  if (findProcess(pid)?.startedAt === startedAt) signalPid(pid, signal)
}

/** Sends a signal to whoever has this pid (or thread id); that it did not arrive is no error, the next look tells. */
export function signalPid(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // Gone, or not ours to signal.
  }
}

/** This process, whatever it descends from, and the first: never to be hunted, whatever mark they carry. */
export function ownLine(): ReadonlySet<number> {
  const line = new Set([1])
  for (let pid = process.pid; pid > 0 && !line.has(pid); pid = findProcess(pid)?.parent ?? 0) line.add(pid)
  return line
}

/** What is no UTF-8 is replaced, and neither NUL nor a mark is. Other encodings take twice the time (tried). */
function read(pid: number, file: 'stat' | 'environ' | 'cmdline' | 'comm'): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return null
  }
}
