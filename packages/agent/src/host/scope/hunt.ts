// Finds what belongs to an action by what its processes carry and where they come from, and kills it. Weaker than a
// cgroup: who sheds environment, session and parent at once is not found (2 of 3 such were, tried).
import { constants, getPriority, setPriority } from 'node:os'
import type { Found } from '../types.ts'
import {
  carriesMark,
  describe,
  findProcess,
  listProcesses,
  ownLine,
  signalProcess,
  type Process,
} from './processes.ts'
import { isTrueWithin } from './waiting.ts'

/** Lists are for people, and travel in news: no more than this. All are dealt with all the same. */
export const mostListed = 1000
/** On a busy host something new may come for ever. */
const mostLists = 100

/** Whom to look for: who carries the action's mark, who is in its session, and who descends from one of these or a root. */
export interface Quarry {
  readonly actionId: string
  /** The wrapper, as recorded: its session counts for as long as it can be the same one. */
  readonly leader?: Process | null
  /** Known processes that are dealt with otherwise; their descendants count. */
  readonly roots?: readonly Process[]
  /** How many looks in a row must find nobody when nobody was ever met: 2, or 1 where a cgroup has the proof already. */
  readonly looks?: 1 | 2
}

/** A hunt under way. It remembers whom it met, so that a child is still known when its parent is gone. */
export interface Hunt {
  readonly quarry: Quarry
  readonly roots: ReadonlyMap<number, Process>
  readonly known: Map<number, Process>
  readonly met: Map<string, { readonly process: Process; readonly found: Found }>
}

/** Begins a hunt. Nothing is looked at yet. */
export function openHunt(quarry: Quarry): Hunt {
  const roots = new Map(quarry.roots?.map((root) => [root.pid, root]))
  return { quarry, roots, known: new Map(roots), met: new Map() }
}

/** Stops everybody (SIGSTOP) until looking again finds nobody new. False when that was not so within `withinMs`. */
export async function stopAll(hunt: Hunt, withinMs: number): Promise<boolean> {
  return inRounds(hunt, withinMs, () => {
    const before = hunt.met.size
    look(hunt, (process) => signalProcess(process, 'SIGSTOP'))
    return hunt.met.size === before
  })
}

/** Kills everybody until looking again finds nobody alive. False when that was not so within `withinMs`. */
export async function killAll(hunt: Hunt, withinMs: number): Promise<boolean> {
  // Who is new is stopped first, to be named, and killed in the next round.
  const act = (member: Process): void =>
    signalProcess(member, hunt.met.has(keyOf(member)) ? 'SIGKILL' : 'SIGSTOP')
  return inRounds(hunt, withinMs, () => look(hunt, act) === 0)
}

/** Everybody met so far (`mostListed` of them), as named then. */
export function everybodyMet(hunt: Hunt): readonly Found[] {
  return [...hunt.met.values()].slice(0, mostListed).map(({ found }) => found)
}

/** Those met who live still (`mostListed` of them). */
export function everybodyLeft(hunt: Hunt): readonly Found[] {
  const left = [...hunt.met.values()].filter(({ process }) => {
    const now = findProcess(process.pid)
    return now?.startedAt === process.startedAt && !now.isDead
  })
  return left.slice(0, mostListed).map(({ found }) => found)
}

/** Looks once and returns how many belong to the action and live. `act` is called for each as soon as it is met. */
export function look(hunt: Hunt, act: (process: Process) => void): number {
  const before = getPriority()
  // Under a storm of processes a look took seconds (tried), and what it had read was long past.
  trySetPriority(constants.priority.PRIORITY_HIGHEST)
  try {
    return lookAround(hunt, act)
  } finally {
    trySetPriority(before)
  }
}

function trySetPriority(priority: number): void {
  try {
    setPriority(priority)
  } catch {
    // Not allowed: then it takes longer.
  }
}

function lookAround(hunt: Hunt, act: (process: Process) => void): number {
  const { quarry, roots, known, met } = hunt
  const spared = ownLine()
  const seen = new Map<number, Process>()
  const now = new Map<number, Process>()
  const meet = (member: Process): void => {
    if (now.has(member.pid) || isSame(roots.get(member.pid), member)) return
    now.set(member.pid, member)
    known.set(member.pid, member)
    act(member)
  }

  const isInSession = sessionOf(quarry.leader)
  for (const pid of everyPid()) {
    const candidate = findProcess(pid)
    if (!candidate || candidate.isDead || candidate.isKernel || spared.has(pid)) continue
    seen.set(pid, candidate)
    // Who was met once belongs to it for good, whatever became of its parent. Met here and not after the scan: by then, what
    // forks on and on has moved.
    const isKnown = isSame(known.get(pid), candidate)
    if (isKnown || isInSession(candidate) || carriesMark(pid, quarry.actionId)) meet(candidate)
  }
  for (let before = -1; before !== now.size;) {
    before = now.size
    for (const child of seen.values())
      if (isSame(known.get(child.parent), seen.get(child.parent))) meet(child)
  }
  for (const member of now.values()) {
    if (!met.has(keyOf(member))) met.set(keyOf(member), { process: member, found: describe(member.pid) })
  }
  return now.size
}

/**
 * Every process there is, and those that came meanwhile, until none has come since the last list. Reading a list takes
 * longer than a process that only begets the next one lives; reading what is new does not.
 */
function* everyPid(): Generator<number> {
  const listed = new Set<number>()
  for (let round = 0; round < mostLists; round += 1) {
    const fresh = listProcesses().filter((pid) => !listed.has(pid))
    if (fresh.length === 0) break
    for (const pid of fresh) listed.add(pid)
    yield* fresh
  }
  if (!listed.has(process.pid))
    throw new Error('/proc does not show this very process, so it proves nothing.')
}

/** One key for one process, as a pid is used again. */
export function keyOf({ pid, startedAt }: Process): string {
  return `${pid} ${startedAt}`
}

/** A session's number is its leader's pid, which the kernel uses again only when the session is empty. */
function sessionOf(leader: Process | null | undefined): (process: Process) => boolean {
  if (!leader) return () => false
  const successor = findProcess(leader.pid)
  if (successor && !isSame(successor, leader)) return () => false
  return ({ session, startedAt }) => session === leader.pid && startedAt >= leader.startedAt
}

function isSame(one: Process | undefined, other: Process | undefined): boolean {
  return one !== undefined && one.pid === other?.pid && one.startedAt === other.startedAt
}

function inRounds(hunt: Hunt, withinMs: number, isQuiet: () => boolean): Promise<boolean> {
  let quiet = 0
  return isTrueWithin(withinMs, async () => {
    quiet = isQuiet() ? quiet + 1 : 0
    return quiet >= (hunt.met.size === 0 ? (hunt.quarry.looks ?? 2) : 2)
  })
}
