/** Execution control by fapolicyd, run by the agent on a configuration of its own. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { codeOf, makeFolder } from '../files.ts'
import { findProgram, run, underLock } from '../programs.ts'
import {
  deviceOf,
  end,
  findDaemons,
  forgetEnded,
  letGoOn,
  rulesOfDaemon,
  watchedBy,
  type Daemon,
} from './daemon.ts'
import { dpkgStatus, lineFor, obstacleTo } from './obstacle.ts'
import { arePackagesChanging } from './packages.ts'
import { policyOf, type Policy, type RulesFile } from './policy.ts'
import { isWhole, listOf, openTrust, type Trust } from './trust/trust.ts'
import type { ExecutionControl } from './types.ts'
import { watchDaemon, type Seen } from './watch.ts'
import {
  firstOther,
  foreignIn,
  hookIn,
  policyFolder,
  removePolicy,
  textOf,
  writePolicy,
  type Place,
} from './written.ts'

interface Parts extends Place {
  readonly log: (line: string) => void
  readonly fileSystems: readonly string[] | null
  readonly trust: Trust
  /** That it was stopped, until somebody has been told. */
  stopped: string | null
}

/**
 * `name` tells agents of one host apart; `folder` is for this alone, and made when it is needed. `fileSystems`: types of those that
 * are restricted, all of this host's own by default.
 */
export function openExecution(options: {
  readonly name: string
  readonly folder: string
  readonly log: (line: string) => void
  readonly fileSystems?: readonly string[] | null
}): ExecutionControl {
  const { name, folder, log, fileSystems = null } = options
  const source = `countermand_${createHash('sha256').update(name).digest('hex').slice(0, 12)}`
  const parts = { folder, log, fileSystems, source, trust: openTrust({ folder, log }), stopped: null }
  return {
    obstacle: () => Promise.resolve(obstacleTo(source)),
    prepare: (signal) => void keepFresh(parts, signal),
    apply: (isRestricted) => (isRestricted ? putUp(parts) : lift(parts)),
    difference: (isRestricted) => (isRestricted ? differenceOf(parts) : Promise.resolve(leftOver(parts))),
    watch: (changed) => watchOver(parts, changed),
  }
}

/** `isRenewal`: where one stands, and not where it has been lifted meanwhile. */
async function putUp(parts: Parts, { isRenewal = false } = {}): Promise<void> {
  const { folder, source, trust, log } = parts
  const obstacle = obstacleTo(source)
  if (obstacle !== null) throw new Error(`This host cannot be restricted: ${obstacle.detail}.`)
  for (const { pid, isStopped } of ours(source)) if (isStopped) letGoOn(pid)
  // What is known is good enough while it changes: it is looked at again when that has ended.
  if (!(await arePackagesChanging()) || (await trust.latest()) === null) await trust.refresh()
  const policy = policyFor(parts, listOf((await trust.latest()) ?? []))
  await makeFolder(folder)
  await locked(parts, async (held) => {
    if (isRenewal && ours(source).length === 0) return
    const rules = (await arePackagesChanging()) ? 'hold.rules' : 'compiled.rules'
    const isWritten = (await firstOther(parts, policy)) === null
    if (isWritten && (await isStanding(parts, rules))) return
    if (!isWritten) await writePolicy(parts, policy)
    await endAll(source)
    try {
      await start(parts, rules, held)
    } catch (thrown) {
      // One that does not do as it should may keep everything from starting.
      await endAll(source)
      throw thrown
    }
    if (rules === 'hold.rules') log('while packages are being changed, what they bring may start')
  })
  parts.stopped = null
}

const policyFor = ({ fileSystems }: Parts, list: string): Policy =>
  policyOf({ program: process.execPath, fileSystems, list })

async function isStanding(parts: Parts, rules: RulesFile): Promise<boolean> {
  const [daemon, second] = ours(parts.source)
  if (daemon === undefined || second !== undefined || daemon.isStopped) return false
  if (rulesOfDaemon(daemon.pid, policyFolder(parts.folder)) !== rules) return false
  return (await trouble(parts, rules)) === null
}

async function start(parts: Parts, rules: RulesFile, held: number): Promise<void> {
  const { folder, source } = parts
  const [unshare, shell] = [findProgram('unshare'), findProgram('sh')]
  const script = [shell ?? 'sh', join(folder, 'start.sh'), folder, rules, source]
  const ran = await run([unshare ?? 'unshare', '--mount', '--propagation', 'slave', ...script], { held })
  if (!ran.isDone) throw new Error(`fapolicyd could not be started (${ran.trouble}).`)
  const found = await trouble(parts, rules)
  if (found !== null) throw new Error(found)
}

/** In plain words; null for a daemon that restricts, while this host's own programs start all the same. */
async function trouble({ folder, source }: Parts, rules: RulesFile): Promise<string | null> {
  const watched = await watchedSoon(source)
  if (watched === null) return 'fapolicyd has ended as soon as it began; the log of this system says why.'
  if (watched.length === 0) return 'fapolicyd runs, and the kernel asks it about no file system.'
  const shell = findProgram('sh') ?? 'sh'
  const own = await run([shell, '-c', ':']).catch((thrown: unknown) => codeOf(thrown) ?? 'unknown')
  if (typeof own === 'string' || !own.isDone)
    return `With fapolicyd, programs of this host's own do not start (${typeof own === 'string' ? own : own.trouble}).`
  // Not everything is watched, and while packages change, root may start what it likes.
  if (rules === 'hold.rules' || !watched.includes(deviceOf(folder))) return null
  const foreign = await run([foreignIn(folder)]).catch((thrown: unknown) => codeOf(thrown) ?? 'unknown')
  return typeof foreign === 'string' ? null : 'fapolicyd runs, and a foreign program could be started.'
}

const longestStartMs = 10_000
/** From its first process to the one that it leaves behind. */
const longestForkMs = 500

/** What ours watches, as soon as it does; none after all that time, null where there is no daemon. */
async function watchedSoon(source: string): Promise<readonly string[] | null> {
  for (let waited = 0; ; waited += 10) {
    const found = ours(source)
    const watched = found.flatMap(({ pid }) => watchedBy(pid))
    if (watched.length > 0 || waited >= longestStartMs) return watched
    if (found.length === 0 && waited >= longestForkMs) return null
    await pause(10)
  }
}

/** Asks for no room on the disk, and opens no file before the daemon has ended: it may be stopped. */
async function lift(parts: Parts): Promise<void> {
  if (leftOver(parts) === null) return
  await endAll(parts.source)
  await makeFolder(parts.folder)
  await locked(parts, async () => {
    await endAll(parts.source)
    await removePolicy(parts)
  })
  parts.stopped = null
  const left = leftOver(parts)
  if (left !== null) throw new Error(left)
}

function leftOver({ folder, source }: Parts): string | null {
  const [daemon] = ours(source)
  if (daemon !== undefined)
    return `fapolicyd (pid ${daemon.pid}) restricts this host, and it is not to be restricted.`
  const left = [hookIn(source), policyFolder(folder)].find((path) => existsSync(path))
  return left === undefined
    ? null
    : `${left} is left of a restriction, and this host is not to be restricted.`
}

async function differenceOf(parts: Parts): Promise<string | null> {
  const { folder, source } = parts
  if (parts.stopped !== null) return parts.stopped
  if (ours(source).length === 0) {
    // Whoever starts it anew just now has the lock.
    await makeFolder(folder)
    await locked(parts, () => Promise.resolve())
  }
  const stopped = ours(source).find(({ isStopped }) => isStopped)
  if (stopped !== undefined) return wordsForStopped(stopped.pid)
  const watched = await watchedSoon(source)
  if (watched === null) return 'fapolicyd, which restricts this host, is not running.'
  if (watched.length === 0) return 'fapolicyd runs, and the kernel asks it about no file system.'
  const [daemon, second] = ours(source)
  if (second !== undefined) return 'fapolicyd runs twice.'
  if (daemon === undefined || rulesOfDaemon(daemon.pid, policyFolder(folder)) === null)
    return 'fapolicyd runs by other rules than it was given.'
  return differenceInFiles(parts)
}

/** The list is of the time when the daemon was last started. */
async function differenceInFiles(parts: Parts): Promise<string | null> {
  const list = (await textOf(join(policyFolder(parts.folder), 'fapolicyd.trust'))) ?? ''
  if (!isWhole(list)) return 'The list of the programs that are trusted is another than it should be.'
  const other = await firstOther(parts, policyFor(parts, list))
  return other === null ? null : `${other} is another than it should be.`
}

function watchOver(parts: Parts, changed: () => void): () => void {
  const heard = ({ stopped }: Seen): void => {
    if (stopped !== null) {
      parts.stopped = wordsForStopped(stopped)
      parts.log(parts.stopped)
    }
    changed()
  }
  return watchDaemon(parts.source, heard, parts.log)
}

const wordsForStopped = (pid: number): string =>
  `fapolicyd (pid ${pid}) was stopped by a signal: as long as it was, no program started and no file was opened.`

const everyMs = 1000

/** Until the signal; what is wrong is said once. */
async function keepFresh(parts: Parts, signal: AbortSignal): Promise<void> {
  let said = ''
  while (!signal.aborted) {
    try {
      await freshen(parts, signal)
      said = ''
    } catch (thrown) {
      const words = thrown instanceof Error ? thrown.message : String(thrown)
      if (words !== said && !signal.aborted)
        parts.log(`what packages have installed is not known anew: ${words}`)
      said = words
    }
    await pause(everyMs, undefined, { signal }).catch(() => undefined)
  }
}

/** A daemon that stands on hold, or by what packages had installed before, is started anew. */
async function freshen(parts: Parts, signal: AbortSignal): Promise<void> {
  const { trust, folder, source } = parts
  if (!existsSync(dpkgStatus) || (await arePackagesChanging())) return
  await trust.refresh(signal)
  const [daemon] = ours(source)
  if (daemon === undefined || signal.aborted) return
  const isOnHold = rulesOfDaemon(daemon.pid, policyFolder(folder)) === 'hold.rules'
  const list = listOf((await trust.latest()) ?? [])
  if (isOnHold || (await textOf(join(policyFolder(folder), 'fapolicyd.trust'))) !== list)
    await putUp(parts, { isRenewal: true })
}

const ours = (source: string): Daemon[] => findDaemons(source).filter(({ isOurs }) => isOurs)

async function endAll(source: string): Promise<void> {
  for (const { pid } of ours(source)) await end(pid, source)
  forgetEnded()
}

async function locked<T>({ folder }: Parts, work: (held: number) => Promise<T>): Promise<T> {
  const flock = findProgram('flock')
  if (flock === null) throw new Error(`To be restricted, this host needs: ${lineFor(['util-linux'])}`)
  return underLock({ flock, path: join(folder, 'lock') }, work)
}
