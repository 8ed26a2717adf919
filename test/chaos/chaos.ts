/** Round after round on a few lanes, until every point has been died at often enough; then a last look at everything. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isOver } from '../end-to-end/api.ts'
import { groupsOf } from '../end-to-end/fixture.ts'
import { until } from '../end-to-end/program.ts'
import type { Fault } from './judge.ts'
import { openLane, type Lane } from './lane.ts'
import { planOf, pointOf } from './plan.ts'
import { points, type PointName } from './points.ts'
import { playRound, type Outcome } from './round.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly rounds: number
  /** This round alone, to see a fault again. */
  readonly only: number | null
  /** How many servers, each with its agent, are kept busy at once. */
  readonly lanes: number
  /** Each point is to be died at this often; some rounds more are played for it. */
  readonly leastHits: number
  /** Where the data of all lanes is left, for whoever wants to look into it. */
  readonly keep: string | null
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

export interface Played {
  readonly round: number
  readonly point: PointName
  readonly isHit: boolean
  readonly faults: readonly Fault[]
}

export interface Chaos {
  readonly played: readonly Played[]
  /** Found at the very end of a lane, so of no round in particular. */
  readonly lastFaults: readonly Fault[]
  /** What `verify` said last of each data folder; empty where there is no `verify`. */
  readonly verified: readonly string[]
}

const root = join(import.meta.dirname, '../..')
const verifyMain = join(root, 'packages/server/src/verify/main.ts')

export async function runChaos(options: ChaosOptions): Promise<Chaos> {
  const cacheFolder = mkdtempSync(join(tmpdir(), 'countermand-chaos-cache-'))
  const played: Played[] = []
  const lastFaults: Fault[] = []
  const verified: string[] = []
  try {
    warmUp(cacheFolder)
    const next = roundsOf(options, played)
    const lanes = Array.from({ length: options.only === null ? options.lanes : 1 }, async (_, number) => {
      const lane = { number: number + 1, cacheFolder, next, played, lastFaults, verified }
      await runLane(options, lane)
    })
    // One that fails must not leave the others without their end.
    const failed = (await Promise.allSettled(lanes)).find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
  } finally {
    rmSync(cacheFolder, { recursive: true, force: true })
  }
  return { played: played.toSorted((a, b) => a.round - b.round), lastFaults, verified }
}

/** What is killed leaves no compiled code behind, so somebody has to who is not. */
function warmUp(cacheFolder: string): void {
  const env = { ...process.env, NODE_COMPILE_CACHE: cacheFolder }
  for (const name of ['server', 'agent']) {
    const main = join(root, 'packages', name, 'src/main.ts')
    spawnSync(process.execPath, [main, '--help'], { env, stdio: 'ignore' })
  }
}

/** The numbers of the rounds: as many as asked for, then some of those points that have not been died at often enough. */
function roundsOf({ rounds, only, leastHits }: ChaosOptions, played: readonly Played[]) {
  let last = 0
  const isWanting = (round: number): boolean => {
    const { name } = pointOf(round)
    return played.filter(({ point, isHit }) => point === name && isHit).length < leastHits
  }
  const bound = rounds + Math.max(2 * points.length, Math.ceil(rounds / 2))
  return (): number | null => {
    if (only !== null) return (last += 1) === 1 ? only : null
    do last += 1
    while (last > rounds && last <= bound && !isWanting(last))
    return last <= bound ? last : null
  }
}

interface LaneParts {
  readonly number: number
  readonly cacheFolder: string
  readonly next: () => number | null
  readonly played: Played[]
  readonly lastFaults: Fault[]
  readonly verified: string[]
}

async function runLane(options: ChaosOptions, parts: LaneParts): Promise<void> {
  for (let isDone = false, life = 1; !isDone; life += 1) {
    const lane = await openLane(parts.cacheFolder)
    try {
      const outcomes = await Promise.race([playRounds(lane, options, parts), aborted(options.signal)])
      isDone = outcomes.isDone
      await lastLook({ lane, outcomes, life }, options, parts)
    } finally {
      await lane.close()
    }
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, fail) => {
    const stop = (): void => fail(new Error('stopped before the end'))
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}

interface Outcomes {
  readonly all: readonly Outcome[]
  readonly isDone: boolean
}

/** Until there are no more, or one has a fault: what it has left may not be laid to another's charge. */
async function playRounds(lane: Lane, options: ChaosOptions, parts: LaneParts): Promise<Outcomes> {
  const all: Outcome[] = []
  for (let round = parts.next(); round !== null; round = parts.next()) {
    const plan = planOf(options.seed, round)
    const outcome = await playRound(lane, plan)
    // Everything was ended under its feet.
    if (options.signal.aborted) break
    const { isHit, faults, end } = outcome
    all.push(outcome)
    parts.played.push({ round, point: plan.point, isHit, faults })
    const how = `${end?.status ?? '-'} ${end?.countermand.proof ?? ''}`.trim()
    options.say(`${round} ${plan.point}:${plan.times} ${isHit ? 'died' : 'did not die'}, ${how}`)
    for (const { kind, text } of faults) options.say(`  ${kind}: ${text}`)
    if (faults.length === 0) continue
    options.say(lane.output())
    return { all, isDone: false }
  }
  return { all, isDone: true }
}

interface Ended {
  readonly lane: Lane
  readonly outcomes: Outcomes
  readonly life: number
}

/** Everything that was ever acknowledged is there; nothing is open, nothing is left; and `verify` says so too. */
async function lastLook(
  { lane, outcomes, life }: Ended,
  options: ChaosOptions,
  parts: LaneParts,
): Promise<void> {
  const isClean = outcomes.all.every(({ faults }) => faults.length === 0)
  const faults = isClean ? await lookAtAll(lane, outcomes.all) : []
  await lane.world.device.program.leave()
  await lane.world.server.leave()
  if (isClean) faults.push(...groupsLeft(lane))
  const name = `lane-${parts.number}-${life}`
  const kept = options.keep === null ? null : join(options.keep, name)
  const { dataFolder, device } = lane.world
  if (kept !== null) {
    cpSync(dataFolder, join(kept, 'server'), { recursive: true })
    cpSync(device.dataFolder, join(kept, 'agent'), { recursive: true })
  }
  if (existsSync(verifyMain)) {
    const args = [verifyMain, '--data', dataFolder, '--agent', device.dataFolder]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    const lines = stdout.trimEnd().split('\n')
    parts.verified.push(`${name}: ${lines.at(-1)}`)
    if (status !== 0 && isClean) faults.push({ kind: 'untrue', text: `verify says ${stdout}${stderr}` })
  }
  parts.lastFaults.push(...faults.map(({ kind, text }) => ({ kind, text: `${name}: ${text}` })))
}

async function lookAtAll(lane: Lane, outcomes: readonly Outcome[]): Promise<Fault[]> {
  const { client, world } = lane
  const faults: Fault[] = []
  const actions = (await until('the actions', () => client.actions())).body.value
  const library = (await until('the library', () => client.library())).body.value
  for (const { actionId, file } of outcomes) {
    const action = actions.find(({ id }) => id === actionId)
    if (action === undefined) faults.push({ kind: 'lost', text: `action ${actionId} is not in the list` })
    const isListed = library.some(
      (entry) => entry.sha256 === file?.sha256 && entry.fileName === file.fileName,
    )
    const stored = join(world.dataFolder, 'files/library', file?.sha256 ?? '-')
    const isStored = existsSync(stored) && hashOf(stored) === file?.sha256
    if (!isListed || !isStored) faults.push({ kind: 'lost', text: `file ${file?.fileName} is not there` })
  }
  for (const action of actions.filter((each) => !isOver(each)))
    faults.push({ kind: 'open', text: `action ${action.id} is ${action.status}` })
  return [...faults, ...(await heldFor(lane))]
}

/** What the agent still holds, or has left lying about, after one more start. */
async function heldFor(lane: Lane): Promise<readonly Fault[]> {
  const journal = join(lane.world.device.dataFolder, 'journal')
  const held = (): readonly string[] => readdirSync(journal)
  const isHeld = (name: string): boolean => existsSync(join(journal, name, 'offer.json'))
  await lane.start('agent', null)
  await until('the journal to be empty', () => held().length === 0, { withinMs: 10_000 }).catch(() => null)
  const open = held().filter(isHeld)
  const left = held().filter((name) => !isHeld(name))
  return [
    ...(open.length > 0 ? [{ kind: 'open' as const, text: `the agent still holds ${open.join()}` }] : []),
    ...(left.length > 0 ? [{ kind: 'left' as const, text: `folders without an offer: ${left.join()}` }] : []),
  ]
}

const hashOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex')

function groupsLeft({ world }: Lane): readonly Fault[] {
  const parent = groupsOf(world.device.dataFolder)
  const entries = parent !== null && existsSync(parent) ? readdirSync(parent, { withFileTypes: true }) : []
  const left = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  return left.length === 0 ? [] : [{ kind: 'left', text: `control groups are left: ${left.join()}` }]
}
