// Two ways to wait: for something that takes milliseconds, and for something that may take hours.
import { watch, type FSWatcher } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const longestPauseMs = 250

/** Asks until the answer is true, at growing intervals (1 ms to 250 ms). False when it was not within `withinMs`. */
export async function isTrueWithin(withinMs: number, ask: () => Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + withinMs
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    if (await ask()) return true
    if (performance.now() >= deadline) return false
    await sleep(pauseMs)
  }
}

/**
 * Asks until there is an answer (not undefined): at once, whenever `path` changes, and every 250 ms all the same, since a
 * watch may be refused or die. Aborting rejects with the signal's reason. Leaves neither watch nor timer behind.
 */
export async function answerWhenever<T>(
  path: string,
  signal: AbortSignal,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  let changed = false
  let wake: (() => void) | undefined
  const nudge = (): void => {
    changed = true
    wake?.()
  }
  const watcher = tryWatch(path, nudge)
  signal.addEventListener('abort', nudge)
  try {
    for (;;) {
      signal.throwIfAborted()
      changed = false
      const answer = await ask()
      if (answer !== undefined) return answer
      if (changed) continue
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, longestPauseMs)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  } finally {
    signal.removeEventListener('abort', nudge)
    watcher?.close()
  }
}

/** Null where a watch cannot be had: the path is gone, or the host's watches are used up. */
function tryWatch(path: string, changed: () => void): FSWatcher | null {
  try {
    const watcher = watch(path, { persistent: false }, changed)
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return null
  }
}
