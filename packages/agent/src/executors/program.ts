/** What is the same for all steps whose work is a program in the scope. */
import { CannotBeDone, type Body, type Prepared, type Run, type Step, type Undone } from './executor.ts'

/** Of each stream this much is kept, from its beginning. */
export const outputCap = 1024 * 1024

const streams = ['stdout', 'stderr'] as const
type Stream = (typeof streams)[number]

export const nothingUndone: Undone = { isChanged: false, residues: [] }

export const program: Pick<Step, 'work' | 'tend' | 'undo'> = {
  work: 'program',

  tend: async (run) => {
    await keepWithinBounds(run)
    run.look(null, await run.host.files.lastLine(`${run.programFolder}/stdout`))
  },

  undo: () => Promise.resolve(nothingUndone),
}

export async function keepWithinBounds({ host, programFolder }: Run): Promise<void> {
  for (const stream of streams) await host.files.trim(`${programFolder}/${stream}`, outputCap)
}

/** A program that is to run in the action's own folder. */
export async function inOwnFolder(run: Run, command: readonly string[], folder = 'work'): Promise<Prepared> {
  const { host } = run
  const cwd = `${run.folder}/${folder}`
  await host.files.makeFolder(cwd)
  await host.files.makeFolder(run.programFolder)
  return { command, cwd, env: host.environment }
}

/** The beginning of what it wrote, and whether there was more. */
export async function written(run: Run, stream: Stream): Promise<{ text: string; isCut: boolean }> {
  return (
    (await run.host.files.readHead(`${run.programFolder}/${stream}`, outputCap)) ?? { text: '', isCut: false }
  )
}

export const overLimit = (limitMs: number): string => `ended by its limit of ${limitMs / 1000} seconds`

/** Why the program did not end as it should; nothing where it did. */
export function whyUnfinished({ status, overran }: Body, limitMs: number): readonly string[] {
  if (overran) return [overLimit(limitMs)]
  return status === null
    ? ['it ended without an exit status: killed from outside, or its host went down']
    : []
}

/** The body of a step that has a program. */
export function bodyOf(body: Body | null): Body {
  if (body === null) throw new CannotBeDone('This step was concluded without its program.')
  return body
}

/** The one step of an order that is none of this type. */
export const impossible = (why: string): readonly Step[] => [
  {
    ...program,
    limitMs: 1,
    prepare: () => Promise.reject(new CannotBeDone(why)),
    conclude: () => Promise.reject(new CannotBeDone(why)),
  },
]
