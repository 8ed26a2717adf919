/** Scopes without processes: a script "runs" for a while, and ends, or is ended. */
import { access, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ScopeGone, type Scopes } from '../host/types.ts'

/** How long a pretended script takes unless it is stopped. */
const takesMs = 60_000

interface Pretended {
  timer: NodeJS.Timeout | null
  frozen: boolean
  readonly over: AbortController
}

export function pretendScopes(): Scopes {
  const scopes = new Map<string, Pretended>()
  return {
    proof: 'stopped',
    description: 'PRETENDED: scripts are not run and nothing on this host is touched',
    make: (actionId) => {
      const scope = `pretended/${actionId}`
      if (!scopes.has(scope)) scopes.set(scope, { timer: null, frozen: false, over: new AbortController() })
      return Promise.resolve(scope)
    },
    start: (scope, { folder }) => {
      const pretended = scopes.get(scope)
      if (pretended === undefined) return Promise.reject(new ScopeGone(scope))
      pretended.timer = setTimeout(() => {
        const written = pretended.frozen ? Promise.resolve() : write(folder)
        void written.finally(() => pretended.over.abort())
      }, takesMs)
      return Promise.resolve()
    },
    ended: async (scope, folder, signal) => {
      const pretended = scopes.get(scope)
      if (pretended?.timer != null) await once(AbortSignal.any([pretended.over.signal, signal]))
      signal.throwIfAborted()
      return exitStatus(folder)
    },
    freeze: (scope) => {
      const pretended = scopes.get(scope)
      if (pretended !== undefined) pretended.frozen = true
      return Promise.resolve()
    },
    // What is pretended ends at once when it is asked.
    ask: () => Promise.resolve(),
    exitStatus,
    end: (scope) => {
      const pretended = scopes.get(scope)
      clearTimeout(pretended?.timer ?? undefined)
      pretended?.over.abort()
      scopes.delete(scope)
      return Promise.resolve({ proof: 'stopped', killed: [], strays: [] })
    },
    isAlive: (scope) => Promise.resolve(scopes.get(scope)?.over.signal.aborted === false),
  }
}

async function exitStatus(folder: string): Promise<number | null> {
  const isThere = await access(join(folder, 'exit')).then(
    () => true,
    () => false,
  )
  return isThere ? 0 : null
}

async function write(folder: string): Promise<void> {
  await writeFile(join(folder, 'stdout'), 'This is a pretended device: the script was not run.\n')
  await writeFile(join(folder, 'stderr'), '')
  await writeFile(join(folder, 'exit'), '0\n')
}

const once = (signal: AbortSignal): Promise<void> =>
  signal.aborted
    ? Promise.resolve()
    : new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
