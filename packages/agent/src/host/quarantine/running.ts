// Processes by the hash of what they execute, deleted or not. A process is the pid and the time at which it started: each is looked at
// again before it is signalled.
import type { BigIntStats } from 'node:fs'
import { lstat, readFile, readlink } from 'node:fs/promises'
import { constants } from 'node:fs'
import { describe, findProcess, listProcesses, ownLine, signalProcess } from '../scope/processes.ts'
import { isTrueWithin } from '../scope/waiting.ts'
import { openQuietly, sha1Of } from './hashing.ts'
import { shown } from './names.ts'
import { inodeOf } from './take.ts'
import type { ByHash, Mark, Name, RunningFrom } from './types.ts'

const stopsWithinMs = 5_000
const diesWithinMs = 30_000

/** Of executables that were looked at before: nothing of one has changed, so neither has its hash. */
export type KnownHashes = Map<string, string>

export function openRunning(
  known: KnownHashes = new Map(),
): Pick<ByHash, 'whyNever' | 'running' | 'freeze' | 'thaw' | 'kill' | 'isAlive'> {
  return {
    whyNever: async (sha1) => {
      for (const pid of ownLine()) {
        const own = await executableOf(pid, known)
        if (own?.sha1 !== sha1) continue
        const whose =
          pid === process.pid ? 'this agent runs from it' : `${describe(pid).command} runs from it`
        return pid === 1 ? 'the first process of this host runs from it' : whose
      }
      return null
    },
    running: async (sha1, signal) => {
      const found: RunningFrom[] = []
      for (const pid of listProcesses()) {
        signal.throwIfAborted()
        const one = await runningFrom(pid, sha1, known)
        if (one !== null) found.push(one)
      }
      return found
    },
    freeze,
    thaw,
    kill,
    isAlive,
  }
}

async function runningFrom(pid: number, sha1: string, known: KnownHashes): Promise<RunningFrom | null> {
  const before = findProcess(pid)
  if (before === null || before.isDead || before.isKernel) return null
  const executable = await executableOf(pid, known)
  const { startedAt } = before
  if (executable?.sha1 !== sha1 || findProcess(pid)?.startedAt !== startedAt) return null
  const link = await readlink(`/proc/${pid}/exe`, { encoding: 'buffer' }).catch(() => null)
  return {
    pid,
    startedAt,
    command: describe(pid).command,
    path: link !== null && (await isThere(link, executable.stats)) ? link : null,
    shown: link === null ? '' : shown(link),
    size: Number(executable.stats.size),
    wasStopped: (await stateOf(pid)) === 'T',
  }
}

/** Of a process in another mount namespace the path may mean another file here. */
async function isThere(path: Name, stats: BigIntStats): Promise<boolean> {
  const there = await lstat(Buffer.from(path), { bigint: true }).catch(() => null)
  return there !== null && inodeOf(there) === inodeOf(stats)
}

/** Null for a process without one, and for one that is gone. */
async function executableOf(
  pid: number,
  known: KnownHashes | null,
): Promise<{ readonly sha1: string; readonly stats: BigIntStats } | null> {
  const file = await openQuietly(Buffer.from(`/proc/${pid}/exe`), constants.O_RDONLY).catch(() => null)
  if (file === null) return null
  try {
    const stats = await file.stat({ bigint: true })
    const key = `${inodeOf(stats)} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`
    const sha1 = known?.get(key) ?? (await sha1Of(file))
    known?.set(key, sha1)
    return { sha1, stats }
  } finally {
    await file.close()
  }
}

async function freeze(one: RunningFrom, sha1: string): Promise<boolean> {
  const { pid, startedAt } = one
  const as = { ...empty, pid, startedAt }
  signalProcess(as, 'SIGSTOP')
  await isTrueWithin(stopsWithinMs, async () => !isAlive(one) || 'TtZ'.includes(await stateOf(pid)))
  // Nothing that stands still begins to execute something else.
  const executable = await executableOf(pid, null)
  if (isAlive(one) && executable?.sha1 === sha1) return true
  thaw(one)
  return false
}

function thaw(mark: Mark): void {
  if (!mark.wasStopped) signalProcess({ ...empty, ...mark }, 'SIGCONT')
}

async function kill(mark: Mark): Promise<void> {
  signalProcess({ ...empty, ...mark }, 'SIGKILL')
  if (await isTrueWithin(diesWithinMs, () => Promise.resolve(!isAlive(mark)))) return
  throw new Error(`${describe(mark.pid).command} (${mark.pid}) could not be killed`)
}

function isAlive({ pid, startedAt }: Mark): boolean {
  const now = findProcess(pid)
  return now !== null && now.startedAt === startedAt && !now.isDead
}

const empty = { parent: 0, session: 0, isDead: false, isKernel: false }

/** Its letter in /proc; nothing for a process that is gone. */
async function stateOf(pid: number): Promise<string> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return line.slice(line.lastIndexOf(')') + 2, line.lastIndexOf(')') + 3)
}
