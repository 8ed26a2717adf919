// Scopes where there is no cgroup v2: a folder per action says whether it may still start, and its processes are found by
// mark, session and parents. What is found is stopped before anything is killed, so that nobody forks meanwhile.
import { mkdir, readFile, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { bootId } from '../clock.ts'
import { Unkillable, type Ended, type Scopes } from '../types.ts'
import { refuseUnlessId, refuseUnlessOf } from './action-id.ts'
import { everybodyLeft, everybodyMet, killAll, look, openHunt, stopAll, type Hunt } from './hunt.ts'
import { exitStatus, launchInside } from './launch.ts'
import { findProcess, parseStat, signalProcess, type Process } from './processes.ts'
import { answerWhenever, isTrueWithin } from './waiting.ts'
import { wrapperRecord } from './wrapper-text.ts'

const longestFreezeMs = 1000
const defaultPatienceMs = 30_000

/** Scopes as folders in `folder`. `why` says what is missing for cgroups. */
export function sweepScopes(folder: string, why: string): Scopes {
  /** Hunts that have not succeeded yet: whom they have met must not be forgotten. */
  const hunts = new Map<string, Hunt>()
  return {
    proof: 'swept',
    description: `Weaker: no cgroups are used here (${why}). Processes of an action are found by mark, session and parents; one that sheds all three can escape, so that an action has stopped is never called proven.`,

    async make(actionId) {
      refuseUnlessId(actionId)
      const scope = join(folder, actionId)
      await mkdir(scope, { recursive: true, mode: 0o700 })
      return scope
    },
    start: (scope, launch) => launchInside('sweep', scope, launch),
    ended: endedIn,
    freeze: async (scope) => void (await stopAll(await huntIn(scope), longestFreezeMs)),
    async ask(scope, { withinMs, leaving }) {
      const hunt = await huntIn(scope)
      for (const signal of ['SIGTERM', 'SIGCONT'] as const)
        look(hunt, (process) => signalProcess(process, signal))
      await isTrueWithin(withinMs, () => {
        leaving.throwIfAborted()
        return Promise.resolve(look(hunt, () => undefined) === 0)
      })
    },
    exitStatus,
    isAlive: async (scope) => look(await huntIn(scope), () => undefined) > 0,

    async end(scope, actionId, { patienceMs = defaultPatienceMs, keep = false } = {}) {
      refuseUnlessOf(scope, actionId)
      const hunt = await huntIn(scope, hunts.get(scope))
      hunts.set(scope, hunt)
      const ended = await endSwept({ folder, scope, hunt, patienceMs, keep })
      hunts.delete(scope)
      return ended
    },
  }
}

/** The wrapper may have entered since the last time, so its record is read anew; whom the hunt has met is kept. */
async function huntIn(scope: string, earlier?: Hunt): Promise<Hunt> {
  const hunt = openHunt({ actionId: basename(scope), leader: await findLeader(scope) })
  return { ...hunt, ...(earlier && { known: earlier.known, met: earlier.met }) }
}

/** The wrapper as it recorded itself, or null. From before the last boot it means nothing: pids and times begin anew. */
async function findLeader(scope: string): Promise<Process | null> {
  const record = await readFile(join(scope, wrapperRecord), 'utf8').catch(() => '')
  const [line = '', boot] = record.split('\n')
  return boot === bootId() ? parseStat(line) : null
}

async function endedIn(scope: string, folder: string, signal: AbortSignal): Promise<number | null> {
  const hunt = await huntIn(scope)
  const { leader } = hunt.quarry
  let quiet = 0
  return answerWhenever(scope, signal, async () => {
    // While the wrapper lives there is no need to look through all processes, four times a second.
    const isAlive = isLiving(leader) || look(hunt, () => undefined) > 0
    quiet = isAlive ? 0 : quiet + 1
    return (await exitStatus(folder)) ?? (quiet < 2 ? undefined : null)
  })
}

function isLiving(process: Process | null | undefined): boolean {
  const now = process && findProcess(process.pid)
  return now ? now.startedAt === process.startedAt && !now.isDead : false
}

interface End {
  readonly folder: string
  readonly scope: string
  readonly hunt: Hunt
  readonly patienceMs: number
  readonly keep: boolean
}

async function endSwept({ folder, scope, hunt, patienceMs, keep }: End): Promise<Ended> {
  const deadline = performance.now() + patienceMs
  const leftMs = (): number => Math.max(0, deadline - performance.now())
  await stopAll(hunt, leftMs())
  let isQuiet = await killAll(hunt, leftMs())
  if (isQuiet && !keep) {
    // Not a folder of ours if the scope is a cgroup of a time when there were some.
    if (dirname(scope) === folder) await rm(scope, { recursive: true, force: true })
    // A wrapper may have entered before the removal and after the last look; none can any more.
    isQuiet = await killAll(hunt, leftMs())
  }
  if (!isQuiet) throw new Unkillable(scope, everybodyLeft(hunt))
  return { proof: 'swept', killed: everybodyMet(hunt), strays: [] }
}
