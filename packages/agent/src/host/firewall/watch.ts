import { spawn, type ChildProcess } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { environment, findProgram } from '../programs.ts'

const firstPauseMs = 100
const longestPauseMs = 30_000
/** One transaction is many lines. */
const togetherMs = 50

/** What nft says of each change, for as long as it is watched; another is started when one ends. */
export function watchRules(changed: () => void, log: (line: string) => void): () => void {
  const over = new AbortController()
  void keepWatching(over.signal, changed, log)
  return () => over.abort()
}

async function keepWatching(
  over: AbortSignal,
  changed: () => void,
  log: (line: string) => void,
): Promise<void> {
  for (let failures = 0; !over.aborted; failures += 1) {
    const hasSpoken = await monitor(over, changed)
    if (over.aborted) return
    if (hasSpoken) failures = 0
    if (failures === 1) log('the watch over the rules of this host ends again and again; it is kept trying')
    await pause(Math.min(firstPauseMs * 2 ** failures, longestPauseMs), undefined, { signal: over }).catch(
      () => undefined,
    )
    // What has changed meanwhile was seen by nobody.
    if (!over.aborted) changed()
  }
}

/** Until it ends, or is ended. Says whether it worked. */
async function monitor(over: AbortSignal, changed: () => void): Promise<boolean> {
  const command = monitorCommand()
  if (command === null || over.aborted) return false
  const [file = '', ...args] = command
  const child = spawn(file, args, { env: environment, stdio: ['ignore', 'pipe', 'ignore'] })
  const end = (): void => void child.kill()
  over.addEventListener('abort', end)
  try {
    return await listen(child, () => void (over.aborted || changed()))
  } finally {
    over.removeEventListener('abort', end)
  }
}

function listen(child: ChildProcess, changed: () => void): Promise<boolean> {
  let soon: NodeJS.Timeout | null = null
  let hasSpoken = false
  child.stdout?.on('data', () => {
    hasSpoken = true
    soon ??= setTimeout(() => {
      soon = null
      changed()
    }, togetherMs)
  })
  return new Promise((resolve) => {
    child.once('error', () => resolve(false))
    child.once('close', () => resolve(hasSpoken))
  })
}

/** It ends with the agent, however that ends; without setpriv, at the next change that it would have to tell. */
function monitorCommand(): readonly string[] | null {
  const [nft, setpriv] = [findProgram('nft'), findProgram('setpriv')]
  if (nft === null) return null
  return setpriv === null ? [nft, 'monitor'] : [setpriv, '--pdeathsig', 'TERM', nft, 'monitor']
}
