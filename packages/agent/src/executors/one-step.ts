/** What is the same for all actions whose body is one program in the scope. */
import type { CommandOutcome } from '@countermand/contract'
import type { Body, Executor, Prepared, Report, Run } from './executor.ts'

/** Of each stream this much is kept, from its beginning. */
export const outputCap = 1024 * 1024

export const streams = ['stdout', 'stderr'] as const
type Stream = (typeof streams)[number]

const created: CommandOutcome = {
  index: 0,
  status: 'Created',
  startedAt: null,
  endedAt: null,
  errors: [],
  result: null,
}

export const oneStep: Pick<Executor, 'begun' | 'tend' | 'stopped'> = {
  begun: (_run, startedAt) => [{ ...created, startedAt }],

  tend: async ({ host, folder }) => {
    for (const stream of streams) await host.files.trim(`${folder}/run/${stream}`, outputCap)
  },

  stopped: (_run, why, { startedAt, endedAt }) => [
    startedAt === null && why === 'cancelled'
      ? created
      : { ...created, startedAt, endedAt, status: 'Failed', errors: [why] },
  ],
}

/** A program that is to run in the action's own folder. */
export async function inOwnFolder(run: Run, command: readonly string[]): Promise<Prepared> {
  const { host, folder } = run
  const cwd = `${folder}/work`
  await host.files.makeFolder(cwd)
  await host.files.makeFolder(`${folder}/run`)
  return { command, cwd, env: host.environment }
}

/** The beginning of what it wrote, and whether there was more. */
export async function written(run: Run, stream: Stream): Promise<{ text: string; isCut: boolean }> {
  return (
    (await run.host.files.readHead(`${run.folder}/run/${stream}`, outputCap)) ?? { text: '', isCut: false }
  )
}

/** Why the program did not end as it should; nothing where it did. */
export function whyUnfinished({ offer }: Run, { status, overran }: Body): readonly string[] {
  if (overran) return [`ended by its limit of ${offer.runLimitMs / 1000} seconds`]
  return status === null
    ? ['it ended without an exit status: killed from outside, or its host went down']
    : []
}

/** The report of a step that is over. */
export function reportOf(
  { startedAt, endedAt, overran }: Body,
  { failed, ...found }: { failed: boolean } & Pick<CommandOutcome, 'errors' | 'result' | 'findings'>,
): Report {
  const step: CommandOutcome = {
    index: 0,
    startedAt,
    endedAt,
    status: failed ? 'Failed' : 'Completed',
    ...found,
  }
  const outcome = overran ? 'timed_out' : failed ? 'failed' : 'succeeded'
  return { outcome, detail: found.errors[0] ?? null, commands: [step] }
}
