/**
 * StopAndQuarantineFile: what runs from the file is stopped, looked at again and killed; then the file goes, from where it ran, from where
 * malware starts, and from everywhere else. A cancel puts files back and lets go on what only was stopped.
 */
import {
  maxQuarantined,
  searchShare,
  type QuarantineParameters,
  type Quarantined,
} from '@countermand/contract'
import type { FoundFile, Item, Mark, RunningFrom } from '../host/quarantine/types.ts'
import {
  CannotBeDone,
  cannotBeDone,
  type Executor,
  type Found,
  type Run,
  type Step,
  type Undone,
} from './executor.ts'
import { impossible, overLimit } from './program.ts'

export const quarantine: Executor = ({ parameters, runLimitMs }) =>
  'sha1' in parameters
    ? [step(parameters, runLimitMs)]
    : impossible('This is not an order to quarantine a file.')

/** Of nothing at all: every empty file of a host has it. */
const ofNothing = 'da39a3ee5e6b4b0d3255bfef95601890afd80709'
/** What is started anew after so many times is started by something else, which has to be stopped first. */
const mostPasses = 20
/** What is told of what could not be put back; the list of what lies in quarantine has the rest. */
const mostResidues = 500
/** Names of one file that are told; all of them go. */
const mostNames = 20
/** For a look at the programs of a host, of one size. */
const twinsWithinMs = 60_000

const step = (asked: QuarantineParameters, limitMs: number): Step => ({
  limitMs,
  work: 'agent',

  prepare: async ({ host }) => {
    if (asked.sha1 === ofNothing)
      throw new CannotBeDone('This is the hash of an empty file, which any number of files here have.')
    const why = await host.byHash.whyNever(asked.sha1)
    if (why !== null) throw new CannotBeDone(`What has this hash is not stopped: ${why}.`)
    return null
  },
  tend: () => Promise.resolve(),

  conclude: async (run) => {
    // An earlier agent may have died over it.
    const residues = await run.host.quarantine.mend(run.offer.id)
    if (residues.length > 0) throw new CannotBeDone(residues.join('; '))
    try {
      return await carryOut(run, asked, limitMs)
    } catch (thrown) {
      if (!run.signal.aborted) return givenUp(run, wordsOf(thrown))
      await letGoOn(run)
      if (!isOverdue(run.signal)) throw thrown
      return { ...(await reportOf(run)), failed: true, overran: true, errors: [overLimit(limitMs)] }
    }
  },

  undo: putBack,
})

async function carryOut(run: Run, asked: QuarantineParameters, limitMs: number): Promise<Found> {
  const { quarantine: kept } = run.host
  const searchMs = limitMs * searchShare
  const until = performance.now() + searchMs
  const size = await stopAll(run, asked)
  const errors: string[] = []
  for (const where of ['quick', 'full'] as const) {
    const searched = await run.host.byHash.files(where, {
      sha1: asked.sha1,
      size,
      signal: run.signal,
      withinMs: until - performance.now(),
      look: (share, line) => run.look(where === 'full' ? share : null, line),
    })
    await takeAll(run, asked, searched.found)
    if (!searched.isThrough)
      errors.push(
        `not every file was looked at: the search ended after ${searchMs / 1000} seconds and ${searched.files} files`,
      )
  }
  // What was started while it was looked for.
  await stopAll(run, asked)
  await letGoOn(run)
  const report = await reportOf(run)
  const isFound = report.quarantined.killed.length > 0 || (await kept.list(run.offer.id)).length > 0
  if (!isFound) errors.unshift('nothing runs from a file with this hash, and none was found')
  else if (report.quarantined.files.length === 0) errors.unshift('no file with this hash was found')
  return { ...report, failed: !isFound, errors: [...errors, ...report.errors] }
}

/**
 * Stops and kills pass after pass, until one finds nobody; and takes away what they ran from, so that it is not started anew. The size of the
 * file, where something ran from it.
 */
async function stopAll(run: Run, asked: QuarantineParameters): Promise<number | null> {
  const { byHash } = run.host
  let size: number | null = null
  for (let pass = 0; ; pass += 1) {
    run.look(null, 'looking at what runs')
    const running = await byHash.running(asked.sha1, run.signal)
    if (running.length === 0) return size
    if (pass === mostPasses)
      throw new CannotBeDone(
        `it was started anew ${mostPasses} times (${running[0]?.command ?? ''}): stop what starts it, and ask again`,
      )
    size = running[0]?.size ?? size
    const paths = running.map(({ path }) => path).filter((path) => path !== null)
    await refusePackaged(run, asked, [...paths, ...running.map(({ shown }) => formerOf(shown))])
    if (pass === 0 && !asked.packaged) await refuseTwin(run, asked, size)
    await killAll(run, asked.sha1, running)
    for (const path of new Map(paths.map((one) => [Buffer.from(one).toString('latin1'), one])).values())
      await take(run, asked.sha1, path)
  }
}

/** A file that was removed from under what runs from it: what the system calls it, without saying that it has gone. */
const formerOf = (name: string): Uint8Array => Buffer.from(name.replace(/ \(deleted\)$/, ''))

async function refusePackaged(
  { host }: Run,
  { packaged }: QuarantineParameters,
  paths: readonly Uint8Array[],
): Promise<void> {
  const whose = packaged ? null : await host.byHash.whosePackage(paths)
  if (whose !== null)
    throw new CannotBeDone(
      `${whose} and is not taken away; a server with quarantinePackaged: true has it taken all the same`,
    )
}

/** What runs may be a copy of a program that belongs to a package: that would be found after the killing. */
async function refuseTwin(run: Run, asked: QuarantineParameters, size: number | null): Promise<void> {
  const searched = await run.host.byHash.files('programs', {
    sha1: asked.sha1,
    size,
    signal: run.signal,
    withinMs: twinsWithinMs,
    look: (_share, line) => run.look(null, line),
  })
  await refusePackaged(
    run,
    asked,
    searched.found.map(({ path }) => path),
  )
}

/** What it is about to stop is on disk before it is stopped, and what it is about to kill before it is killed. */
interface Marks {
  readonly bootId: string
  readonly marks: readonly Marked[]
}
interface Marked extends Mark {
  readonly command: string
  readonly path: string
  readonly isKilled: boolean
}

async function killAll(run: Run, sha1: string, running: readonly RunningFrom[]): Promise<void> {
  const { byHash } = run.host
  const earlier = await marksOf(run)
  const before = earlier.filter((mark) => !running.some((one) => isSame(one, mark)))
  const marked = running.map(({ pid, startedAt, wasStopped, command, shown }): Marked => ({
    pid,
    startedAt,
    // What an agent before this had stopped is none of what stood still already.
    wasStopped: earlier.find((mark) => isSame(mark, { pid, startedAt }))?.wasStopped ?? wasStopped,
    command: command.slice(0, 4096),
    path: shown,
    isKilled: false,
  }))
  await write(run, [...before, ...marked])
  const frozen: Marked[] = []
  for (const [index, mark] of marked.entries()) {
    run.signal.throwIfAborted()
    const process = running[index]
    if (process !== undefined && (await byHash.freeze(process, sha1))) frozen.push(mark)
  }
  run.moment('processes-frozen')
  run.signal.throwIfAborted()
  await write(run, [...before, ...frozen.map((mark) => ({ ...mark, isKilled: true }))])
  for (const mark of frozen) await byHash.kill(mark)
  run.moment('processes-killed')
}

const isSame = (one: Pick<Mark, 'pid' | 'startedAt'>, other: Pick<Mark, 'pid' | 'startedAt'>): boolean =>
  one.pid === other.pid && one.startedAt === other.startedAt

const write = (run: Run, marks: readonly Marked[]): Promise<void> =>
  run.promise({ bootId: run.host.bootId(), marks } satisfies Marks)

/** Of this boot: what an earlier one had stopped has gone with it. */
async function marksOf(run: Run): Promise<readonly Marked[]> {
  const promised = await run.promised<Marks>()
  return promised === null
    ? []
    : promised.marks.filter(({ isKilled }) => isKilled || promised.bootId === run.host.bootId())
}

/** Whatever was stopped, and is not to be killed, goes on. */
async function letGoOn(run: Run): Promise<void> {
  for (const mark of await marksOf(run)) if (run.host.byHash.isAlive(mark)) run.host.byHash.thaw(mark)
}

async function takeAll(run: Run, asked: QuarantineParameters, found: readonly FoundFile[]): Promise<void> {
  await refusePackaged(
    run,
    asked,
    found.map(({ path }) => path),
  )
  for (const { path } of found) await take(run, asked.sha1, path)
}

async function take(run: Run, sha1: string, path: Uint8Array): Promise<void> {
  run.signal.throwIfAborted()
  await run.host.quarantine.take(path, { action: run.offer.id, sha1 }).catch(cannotBeDone)
}

/** What was taken is put back: it is all of it, or nothing. */
async function givenUp(run: Run, why: string): Promise<Found> {
  const { residues, quarantined } = await putBack(run)
  const killed = quarantined?.killed.length ?? 0
  const errors = [
    why,
    'what had been taken away is back in its place',
    ...(killed > 0 ? [`${killed} of its processes had been killed`] : []),
    ...residues,
  ]
  return { failed: true, errors: errors.slice(0, 50), result: null, ...(quarantined && { quarantined }) }
}

async function putBack(run: Run): Promise<Undone> {
  const { quarantine: kept } = run.host
  await letGoOn(run)
  const residues: string[] = []
  for (const { id } of (await kept.list(run.offer.id)).toReversed())
    residues.push(...(await kept.putBack(id)))
  const { quarantined } = await reportOf(run)
  return { isChanged: true, residues: residues.slice(0, mostResidues), quarantined }
}

type Report = Pick<Found, 'errors' | 'result'> & { readonly quarantined: Quarantined }

/** What lies in quarantine now, and what has been killed, as it is told. */
async function reportOf(run: Run): Promise<Report> {
  const items = await run.host.quarantine.list(run.offer.id)
  const killed = (await marksOf(run)).filter((mark) => mark.isKilled && !run.host.byHash.isAlive(mark))
  return {
    result: null,
    quarantined: {
      files: items.slice(0, maxQuarantined).map(toFile),
      killed: killed.slice(0, maxQuarantined).map(({ pid, command, path }) => ({ pid, command, path })),
    },
    errors: [
      ...items
        .filter(({ isBare }) => isBare)
        .slice(0, 10)
        .map(({ id }) => `${id} could not keep its extended attributes`),
      ...beyond('files', items.length),
      ...beyond('processes', killed.length),
    ],
  }
}

const beyond = (what: string, count: number): readonly string[] =>
  count > maxQuarantined ? [`${count - maxQuarantined} more ${what} are not listed`] : []

const toFile = ({ id, names, size }: Item): Quarantined['files'][number] => ({
  id,
  paths: names.slice(0, mostNames).map(textOf),
  size,
})

const textOf = (name: Uint8Array): string => Buffer.from(name).toString('utf8').slice(0, 4096)

const isOverdue = ({ reason }: AbortSignal): boolean =>
  reason instanceof Error && reason.name === 'TimeoutError'

const wordsOf = (thrown: unknown): string =>
  (thrown instanceof Error ? thrown.message : String(thrown)).slice(0, 2000)
