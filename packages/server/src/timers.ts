/**
 * Runs `work` again and again, `pauseMs` after its last end, so that it never overlaps itself. A failure is told and does not
 * end the timer. The returned function stops it and waits for a run under way.
 */
export function every(
  pauseMs: number,
  work: () => Promise<unknown>,
  failed: (thrown: unknown) => void,
): () => Promise<void> {
  let stopped = false
  let running: Promise<unknown> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  const wait = (): void => {
    if (stopped) return
    timer = setTimeout(() => {
      running = work().catch(failed).finally(wait)
    }, pauseMs)
  }
  wait()
  return async () => {
    stopped = true
    clearTimeout(timer)
    await running
  }
}
