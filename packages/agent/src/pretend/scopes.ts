/** Scopes without processes: a program "runs" for a while, and ends, or is ended. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ScopeGone, Unkillable, type Scopes } from '../host/types.ts'

/** What becomes of a program that is started. */
export interface Program {
  /** Until it ends by itself, in milliseconds; infinite for never. */
  readonly takesMs: number
  /** Its exit status; null for one that ends without. */
  readonly status: number | null
  readonly output: string
  /** It ends in the very moment in which it is frozen. */
  readonly endsWhenStopped: boolean
  /** For so long nothing kills it. */
  readonly outlivesKillMs: number
}

/** What becomes of actions, for who pretends to carry them out. */
export interface Fates {
  /** It is about to begin: resolves once it may. */
  ready(actionId: string): Promise<void>
  /** A program of it starts. */
  started(actionId: string): Program
}

/** Nothing special ever happens: every program takes a minute, and ends well. */
export const plainFates: Fates = {
  ready: () => Promise.resolve(),
  started: () => ({
    takesMs: 60_000,
    status: 0,
    output: 'This is a pretended device: the script was not run.\n',
    endsWhenStopped: false,
    outlivesKillMs: 0,
  }),
}

interface Pretended {
  program: Program | null
  folder: string
  timer: NodeJS.Timeout | null
  frozen: boolean
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

export function pretendScopes(fates: Fates = plainFates): PretendedScopes {
  const scopes = new Map<string, Pretended>()
  const nobody = { program: null, folder: '', timer: null, frozen: false, killedAt: null }
  return {
    proof: 'stopped',
    description: 'PRETENDED: scripts are not run and nothing on this host is touched',
    make: async (actionId) => {
      const scope = `pretended/${actionId}`
      if (!scopes.has(scope)) scopes.set(scope, { ...nobody, over: new AbortController() })
      await fates.ready(actionId)
      return scope
    },
    start: (scope, { folder, cwd }) => {
      const pretended = scopes.get(scope)
      if (pretended === undefined) return Promise.reject(new ScopeGone(scope))
      const program = fates.started(idOf(scope))
      const ended = async (): Promise<void> => {
        // For who collects what it has left.
        if (!pretended.frozen) await writeFile(join(cwd, 'pretended.txt'), program.output)
        if (!pretended.frozen) await write(folder, program)
        pretended.over.abort()
      }
      Object.assign(pretended, { program, folder })
      if (program.takesMs !== Infinity)
        pretended.timer = setTimeout(() => void ended(), Math.min(program.takesMs, longestMs))
      return Promise.resolve()
    },
    ended: async (scope, folder, signal) => {
      const pretended = scopes.get(scope)
      if (pretended !== undefined && pretended.program !== null)
        await once(AbortSignal.any([pretended.over.signal, signal]))
      signal.throwIfAborted()
      return exitStatus(folder)
    },
    freeze: async (scope) => {
      const pretended = scopes.get(scope)
      if (pretended === undefined) return
      const { program, folder, over } = pretended
      if (program?.endsWhenStopped === true && !over.signal.aborted) await write(folder, program)
      pretended.frozen = true
    },
    // What is pretended ends at once when it is asked.
    ask: () => Promise.resolve(),
    exitStatus,
    end: (scope) => {
      const pretended = scopes.get(scope)
      const outlives = pretended?.program?.outlivesKillMs ?? 0
      if (pretended !== undefined && outlives > 0 && !pretended.over.signal.aborted) {
        pretended.killedAt ??= Date.now()
        if (Date.now() - pretended.killedAt < outlives)
          return Promise.reject(new Unkillable(scope, [{ pid: 4711, command: 'pretended' }]))
      }
      clearTimeout(pretended?.timer ?? undefined)
      pretended?.over.abort()
      scopes.delete(scope)
      return Promise.resolve({ proof: 'stopped', killed: [], strays: [] })
    },
    isAlive: (scope) => Promise.resolve(scopes.get(scope)?.over.signal.aborted === false),
    lose: () => {
      for (const { timer, over } of scopes.values()) {
        clearTimeout(timer ?? undefined)
        over.abort()
      }
      scopes.clear()
    },
  }
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
