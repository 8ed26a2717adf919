/** The only endless loop: a wake-up, a timer or news → sync → obey. */
import { setTimeout as pause } from 'node:timers/promises'
import { killPoint } from './kill-points.ts'
import { KeyRefused, TwoHistories, type Answer, type Self, type Sync } from './sync.ts'
import { Damaged, certificateTrouble, diskTrouble, plainly } from './trouble.ts'

/** With a stream that lives, wake-ups come by it; without one the device asks. */
const idleMs = { listening: 5 * 60_000, alone: 30_000 }
/** News that a reply has brought about (a cancel was heard) waits so long for what mostly follows at once (all is dead): one exchange instead of two. */
const togetherMs = 50
const longestPauseMs = 30_000

export interface LoopParts {
  readonly sync: Sync
  readonly self: () => Promise<Self>
  /** Is there something to be said that the last statement did not hold? */
  readonly hasNews: () => boolean
  readonly obey: (answer: Answer) => Promise<void>
  readonly answered: (answer: Answer) => void
  /** Is there nothing more to be said, ever? `isRefused`: the server does not take this device's key. */
  readonly isOver: (isRefused: boolean) => Promise<boolean>
  readonly log: (line: string) => void
}

export interface Loop {
  /** Sync as soon as the one under way, if any, is done. */
  soon(): void
  setListening(isListening: boolean): void
  /** Until the signal, or until it is over. */
  run(signal: AbortSignal): Promise<void>
}

export function openLoop(parts: LoopParts, gatherMs = togetherMs): Loop {
  let wanted = true
  let isListening = false
  let sleeping = Promise.withResolvers<void>()
  const soon = (): void => {
    wanted = true
    sleeping.resolve()
  }
  const idle = async (signal: AbortSignal): Promise<void> => {
    const jitter = 0.8 + Math.random() * 0.4
    sleeping = Promise.withResolvers()
    if (wanted) return
    const over = new AbortController()
    const ms = parts.hasNews() ? gatherMs : (isListening ? idleMs.listening : idleMs.alone) * jitter
    const timer = pause(ms, undefined, { signal: AbortSignal.any([signal, over.signal]) }).catch(
      () => undefined,
    )
    await Promise.race([sleeping.promise, timer])
    over.abort()
  }
  return {
    soon,
    setListening: (now) => (isListening = now),
    run: async (signal) => {
      let failures = 0
      while (!signal.aborted) {
        await idle(signal)
        if (signal.aborted) return
        wanted = false
        try {
          const { isRepeated } = await once(parts)
          if (isRepeated) wanted = true
          failures = 0
          if (await isOver(parts, false)) return
        } catch (thrown) {
          if (thrown instanceof KeyRefused && (await isOver(parts, true))) return
          failures += 1
          wanted = true
          report(parts, thrown, failures)
          const ms = Math.min(250 * 2 ** failures, longestPauseMs) * (0.5 + Math.random() / 2)
          await pause(ms, undefined, { signal }).catch(() => undefined)
        }
      }
    },
  }
}

/** What the host does not let go of yet is tried again with the next try. */
const isOver = ({ isOver: ask, log }: LoopParts, isRefused: boolean): Promise<boolean> =>
  ask(isRefused).catch((thrown: unknown) => {
    log(`this device cannot leave yet: ${plainly(thrown)}`)
    return false
  })

async function once({ sync, self, obey, answered }: LoopParts): Promise<Answer> {
  const answer = await sync.exchange(self)
  killPoint('reply-received')
  answered(answer)
  await obey(answer)
  killPoint('orders-obeyed')
  await sync.spent(answer.reply)
  return answer
}

/** The first failure is said, and then every tenth: a server that is away for a weekend should not fill a log. */
function report({ log }: LoopParts, thrown: unknown, failures: number): void {
  if (failures !== 1 && failures % 10 !== 0) return
  log(`${whatFailed(thrown)}, try ${failures}: ${plainly(thrown)}`)
}

function whatFailed(thrown: unknown): string {
  if (thrown instanceof TwoHistories) return 'this device must enrol again'
  // Nothing is said, and nothing obeyed, that is not on disk first.
  const isDisk = thrown instanceof Damaged || diskTrouble(thrown) !== null
  if (certificateTrouble(thrown) !== null) return 'the server was not trusted'
  return isDisk ? 'this device cannot keep its journal' : 'the server was not reached'
}
