/**
 * An offboarding as far as it concerns the agent itself: what stands is taken off, the journal takes the commit, and once the server
 * has heard of it the identity is given up. A cancel and the commit make the same file; one of them wins.
 */
import type { Host } from '../host/host.ts'
import type { Journal } from '../journal.ts'
import { killPoint } from '../kill-points.ts'
import type { NewsLog } from '../news.ts'
import type { OpenPostures } from '../posture/open.ts'
import type { Runner } from '../runner.ts'
import { plainly } from '../trouble.ts'

export interface DepartureParts {
  readonly journal: Pick<Journal, 'all' | 'find' | 'commit' | 'drop'>
  readonly postures: Pick<OpenPostures, 'leave' | 'stay' | 'forget'>
  /** Of this device now: what an earlier incarnation committed binds it no more. */
  readonly keyThumbprint: string
  readonly host: Pick<Host, 'now'>
  readonly log: (line: string) => void
}

/** Who else has to be asked whether all of it is said. */
interface Saying {
  readonly runner: Pick<Runner, 'holds'>
  readonly news: Pick<NewsLog, 'isPending'>
}

export interface Departure {
  /** Nothing stands on this host when it resolves, and nothing is made to until `stay`. */
  takeOff(id: string): Promise<void>
  /** The host stands as it did, read back. True where something had been taken off for this action. */
  stay(id: string): Promise<boolean>
  isCommitted(id: string): Promise<boolean>
  /** The point from which there is no way back, on disk when it resolves. False where a cancel was there first. */
  commit(id: string): Promise<boolean>
  /** What stood is to be put back by nobody: not by a later agent, nor at the next boot. */
  forget(): Promise<void>
  /**
   * The action by which this device has left, once nobody waits for a word of it any more: the server has acknowledged the last one,
   * or takes none (`isRefused`: its key is not valid there). Null before that.
   */
  over(saying: Saying, isRefused: boolean): Promise<string | null>
}

/** What was committed by an agent before this one is gone on with. */
export async function openDeparture(parts: DepartureParts): Promise<Departure> {
  const { journal, postures, keyThumbprint, host, log } = parts
  const tookOff = new Set<string>()
  let left: string | null = null
  const takeOff = async (id: string): Promise<void> => {
    if (await postures.leave()) tookOff.add(id)
    killPoint('postures-off')
  }
  const isCommitted = async (id: string): Promise<boolean> => {
    const key = (await journal.find(id))?.committed?.key
    if (key === keyThumbprint) left = id
    return key === keyThumbprint
  }
  for (const { offer, committed, outcome } of await journal.all()) {
    if (committed === null) continue
    // An earlier incarnation's: told under that key, and not to be told again under this one.
    if (committed.key !== keyThumbprint && outcome !== null) await journal.drop(offer.id)
    // Before the first reply, which may not know of it yet and say how to stand.
    else if (await isCommitted(offer.id))
      await takeOff(offer.id).catch((thrown: unknown) =>
        log(`what stands could not be taken off: ${plainly(thrown)}`),
      )
  }
  return {
    takeOff,
    isCommitted,
    stay: async (id) => {
      await postures.stay()
      return tookOff.has(id)
    },
    commit: async (id) => {
      const isFirst = await journal.commit(id, { at: host.now(), key: keyThumbprint })
      if (isFirst) killPoint('committed')
      return isCommitted(id)
    },
    forget: () => postures.forget(),
    over: async ({ runner, news }, isRefused) => {
      if (left === null || runner.holds(left)) return null
      const isToldOf = (await journal.find(left))?.outcome != null
      if (!isToldOf || (!isRefused && news.isPending(left))) return null
      await postures.leave()
      return left
    },
  }
}
