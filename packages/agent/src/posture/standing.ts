/** The host's posture as the rest of the agent has it: one that can also be left, for an offboarding. */
import type { Firewall } from '../host/firewall/types.ts'
import { barrierOf } from './barrier.ts'
import { dropPosture, isolates, postureFile, wantedOf } from './posture-file.ts'
import type { Posture, PostureParts } from './posture.ts'
import { dropChallenge } from './release.ts'
import { releasedFile } from './released-file.ts'

interface StandingParts extends Pick<PostureParts, 'server' | 'pin' | 'syncSoon'> {
  readonly dataFolder: string
  readonly firewall: Firewall
  /** Stands as the disk says when it resolves, as far as the kernel lets it. */
  readonly open: () => Promise<Posture>
}

export interface Standing extends Pick<Posture, 'take' | 'answered' | 'newEpoch' | 'report' | 'tick'> {
  /**
   * Takes off everything that stands, and answers whether anything did; until `stay` nothing is made to stand, or put back, whatever
   * replies say. What is on disk stays. Throws where the kernel does not let go; safe to call again.
   */
  leave(): Promise<boolean>
  /** Stands as it did before `leave`, read back. Throws where it does not yet, and goes on trying. Safe to call again. */
  stay(): Promise<void>
  /** Nothing of it is left on disk: a later agent has nothing to put back. */
  forget(): Promise<void>
  close(): Promise<void>
}

async function forgetAll(dataFolder: string): Promise<void> {
  await dropPosture(dataFolder)
  await releasedFile(dataFolder).remove()
  await dropChallenge(dataFolder)
}

export async function openStanding(parts: StandingParts): Promise<Standing> {
  const { dataFolder, firewall, server, open, pin, syncSoon } = parts
  const wanted = async () => wantedOf(await postureFile(dataFolder).read())
  /** Null while it has left. */
  let posture: Posture | null = await open()
  let last = posture.report()
  let isNewEpoch = false
  const close = async (): Promise<void> => {
    const before = posture
    posture = null
    if (before === null) return
    last = before.report()
    before.close()
    await before.done()
  }
  return {
    close,
    take: async (document) => posture?.take(document),
    answered: async (answer) => posture?.answered(answer),
    tick: async () => posture?.tick(),
    newEpoch: async () => {
      isNewEpoch = posture === null
      await posture?.newEpoch()
    },
    report: () => posture?.report() ?? { ...last, stands: 0, isolation: { action: null, type: 'None' } },
    leave: async () => {
      await close()
      const document = await wanted()
      // Where nothing can be isolated, and never was, there is nothing to be looked at either.
      const isBarred =
        isolates(document) || ((await firewall.lack()) === null && (await firewall.difference(null)) !== null)
      if (isBarred) await firewall.apply(null)
      pin(document.server, false)
      return isBarred
    },
    stay: async () => {
      if (posture === null) syncSoon()
      posture ??= await open()
      if (isNewEpoch) await posture.newEpoch()
      isNewEpoch = false
      const barrier = barrierOf(await wanted(), server)
      const difference = barrier === null ? null : await firewall.difference(barrier)
      if (difference !== null) throw new Error(`the host does not stand as it did yet: ${difference}`)
    },
    forget: () => forgetAll(dataFolder),
  }
}
