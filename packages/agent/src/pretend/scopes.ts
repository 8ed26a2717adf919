/** Scopes without processes: a program "runs" for a while, and ends, or is ended. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ScopeGone, Unkillable, type Launch, type Scopes } from '../host/types.ts'

/** What becomes of a program that is started. */
export interface Program {
  /** Until it ends by itself, in milliseconds; infinite for never. */
  readonly takesMs: number
  /** Its exit status; null for one that ends without. */
  readonly status: number | null
  readonly output: string
  /** It ends in the very moment in which it is frozen. */
  readonly endsWhenStopped: boolean
  /** Why it is not to be stopped; null where it may be. */
  readonly unstoppable: string | null
  /** For so long nothing kills it. */
  readonly outlivesKillMs: number
}

/** What becomes of actions, for who pretends to carry them out. */
export interface Fates {
  /** It is about to begin: resolves once it may. */
  ready(actionId: string): Promise<void>
  /** A program of it starts. */
  started(actionId: string): Program
  /** A program of it has ended by itself. */
  ended(actionId: string): void
}

/** Nothing special ever happens: every program takes a minute, and ends well. */
export const plainFates: Fates = {
  ready: () => Promise.resolve(),
  started: () => ({
    takesMs: 60_000,
    status: 0,
    output: 'This is a pretended device: the script was not run.\n',
    endsWhenStopped: false,
    unstoppable: null,
    outlivesKillMs: 0,
  }),
  ended: () => undefined,
}

interface Pretended {
  program: Program | null
  folder: string
  timer: NodeJS.Timeout | null
  frozen: boolean
  /** What it does in the moment of its end, which nothing can come into. */
  ends: Promise<void>
  /** Since when it is to be dead. */
  killedAt: number | null
  readonly over: AbortController
}

/** setTimeout takes no more. */
const longestMs = 2 ** 31 - 1

export interface PretendedScopes extends Scopes {
  /** Everything in them is gone, as after a power cut. */
  lose(): void
}

const nobody = {
  program: null,
  folder: '',
  timer: null,
  frozen: false,
  ends: Promise.resolve(),
  killedAt: null,
}

export function pretendScopes(fates: Fates = plainFates): PretendedScopes {
  const scopes = new Map<string, Pretended>()
  return {
    proof: 'stopped',
    description: 'PRETENDED: scripts are not run and nothing on this host is touched',
    make: async (actionId) => {
      const scope = `pretended/${actionId}`
      if (!scopes.has(scope)) scopes.set(scope, { ...nobody, over: new AbortController() })
      await fates.ready(actionId)
      return scope
    },
    start: (scope, launch) => {
      const pretended = scopes.get(scope)
      if (pretended === undefined) return Promise.reject(new ScopeGone(scope))
      start(pretended, fates.started(idOf(scope)), { ...launch, ended: () => fates.ended(idOf(scope)) })
      return Promise.resolve()
    },
    ended: async (scope, folder, signal) => {
      const pretended = scopes.get(scope)
      if (pretended !== undefined && pretended.program !== null)
        await once(AbortSignal.any([pretended.over.signal, signal]))
      signal.throwIfAborted()
      return exitStatus(folder)
    },
    freeze: async (scope) => freeze(scopes.get(scope), () => fates.ended(idOf(scope))),
    // What is pretended ends at once when it is asked.
    ask: () => Promise.resolve(),
    exitStatus,
    end: (scope) => {
      const pretended = scopes.get(scope)
      if (pretended !== undefined && outlives(pretended))
        return Promise.reject(new Unkillable(scope, [{ pid: 4711, command: 'pretended' }]))
      kill(pretended)
      scopes.delete(scope)
      return Promise.resolve({ proof: 'stopped', killed: [], strays: [] })
    },
    unstoppable: (scope) => scopes.get(scope)?.program?.unstoppable ?? null,
    isAlive: (scope) => Promise.resolve(scopes.get(scope)?.over.signal.aborted === false),
    lose: () => {
      for (const each of scopes.values()) kill(each)
      scopes.clear()
    },
  }
}

function start(
  pretended: Pretended,
  program: Program,
  { folder, cwd, ended }: Launch & { readonly ended: () => void },
): void {
  const end = async (): Promise<void> => {
    if (!pretended.frozen) {
      ended()
      // For who collects what it has left.
      await writeFile(join(cwd, 'pretended.txt'), program.output)
      await write(folder, program)
    }
  }
  pretended.program = program
  pretended.folder = folder
  if (program.takesMs === Infinity) return
  // Where its folder has gone with its device, nobody waits for it.
  const over = (): void => pretended.over.abort()
  const ending = (): void => void (pretended.ends = end().then(over, over))
  pretended.timer = setTimeout(ending, Math.min(program.takesMs, longestMs))
}

async function freeze(pretended: Pretended | undefined, ended: () => void): Promise<void> {
  if (pretended === undefined) return
  await pretended.ends
  const { program, folder, over } = pretended
  if (program?.endsWhenStopped === true && !over.signal.aborted) {
    await write(folder, program)
    ended()
  }
  pretended.frozen = true
}

function outlives(pretended: Pretended): boolean {
  const { program, over } = pretended
  if (program === null || program.outlivesKillMs === 0 || over.signal.aborted) return false
  pretended.killedAt ??= Date.now()
  return Date.now() - pretended.killedAt < program.outlivesKillMs
}

function kill(pretended: Pretended | undefined): void {
  clearTimeout(pretended?.timer ?? undefined)
  pretended?.over.abort()
}

const idOf = (scope: string): string => scope.slice('pretended/'.length)

async function exitStatus(folder: string): Promise<number | null> {
  const text = await readFile(join(folder, 'exit'), 'utf8').catch(() => null)
  return text === null ? null : Number(text)
}

async function write(folder: string, { status, output }: Program): Promise<void> {
  await writeFile(join(folder, 'stdout'), output)
  await writeFile(join(folder, 'stderr'), '')
  if (status !== null) await writeFile(join(folder, 'exit'), `${status}\n`)
}

const once = (signal: AbortSignal): Promise<void> =>
  signal.aborted
    ? Promise.resolve()
    : new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
