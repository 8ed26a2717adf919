/**
 * Runs `work` again and again, `pauseMs` after its last end, so that it never overlaps itself. A failure is told and does not
 * end the timer. The returned function stops it and waits for a run under way.
 */
export function every(
  pauseMs: number,
  work: () => Promise<unknown>,
  failed: (thrown: unknown) => void,
): () => Promise<void> {
  return begin({ pauseMs, work, failed }, false)
}

/** The same, at once for the first time. */
export const everyNow: typeof every = (pauseMs, work, failed) => begin({ pauseMs, work, failed }, true)

interface Repeated {
  readonly pauseMs: number
  readonly work: () => Promise<unknown>
  readonly failed: (thrown: unknown) => void
}

function begin({ pauseMs, work, failed }: Repeated, isNow: boolean): () => Promise<void> {
  let stopped = false
  let running: Promise<unknown> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  const wait = (): void => {
    if (stopped) return
    timer = setTimeout(run, pauseMs)
  }
  const run = (): void => {
    running = work().catch(failed).finally(wait)
  }
  if (isNow) run()
  else wait()
  return async () => {
    stopped = true
    clearTimeout(timer)
    await running
  }
}
