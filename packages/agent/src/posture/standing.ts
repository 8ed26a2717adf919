/** How a host stands in one aspect, as the rest of the agent has it: a posture that can also be left, for an offboarding. */
import type { Posture as Document } from '@countermand/contract'
import type { Control } from './control.ts'
import { isActive, nothing, wantedOf, type PostureFile } from './posture-file.ts'
import type { Posture } from './posture.ts'
import type { ReleasedFile } from './released-file.ts'

interface StandingParts {
  readonly control: Control
  readonly file: PostureFile
  readonly released: ReleasedFile
  readonly syncSoon: () => void
  /** Stands as the disk says when it resolves, as far as the host lets it. */
  readonly open: () => Promise<Posture>
}

export interface Standing extends Pick<Posture, 'take' | 'answered' | 'newEpoch' | 'report' | 'tick'> {
  /**
   * Takes off what stands, and answers whether anything did; until `stay` nothing is made to stand, or put back, whatever replies
   * say. What is on disk stays. Throws where the host does not let go; safe to call again.
   */
  leave(): Promise<boolean>
  /** Stands as it did before `leave`, read back. Throws where it does not yet, and goes on trying. Safe to call again. */
  stay(): Promise<void>
  /** Nothing of it is left on disk: a later agent has nothing to put back. */
  forget(): Promise<void>
  close(): Promise<void>
}

export async function openStanding({
  control,
  file,
  released,
  syncSoon,
  open,
}: StandingParts): Promise<Standing> {
  const wanted = async () => wantedOf(await file.read())
  /** Null while it has left. */
  let posture: Posture | null = await open()
  let last = posture.report()
  let isNewEpoch = false
  const close = async (): Promise<void> => {
    const before = posture
    posture = null
    if (before === null) return
    last = before.report()
    await before.close()
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
    report: () => posture?.report() ?? { ...last, stands: 0, action: null, type: 'None' },
    leave: async () => {
      await close()
      return takeOff(control, await wanted())
    },
    stay: async () => {
      if (posture === null) syncSoon()
      posture ??= await open()
      if (isNewEpoch) await posture.newEpoch()
      isNewEpoch = false
      const document = await wanted()
      const difference = isActive(document) ? await control.difference(document) : null
      if (difference !== null) throw new Error(`the host does not stand as it did yet: ${difference}`)
    },
    forget: async () => {
      await file.remove()
      await released.remove()
    },
  }
}

/** Answers whether there was anything. */
async function takeOff(control: Control, wanted: Document): Promise<boolean> {
  // Where nothing can stand, and never did, there is nothing to be looked at either.
  const isThere =
    isActive(wanted) || ((await control.lack()) === null && (await control.difference(nothing)) !== null)
  if (isThere) await control.apply(nothing)
  control.arrange?.(nothing, wanted)
  return isThere
}
