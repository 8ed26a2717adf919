/** A posture of one aspect in the hands of a test: time, contact, and the next agent. */
import type { Aspect, Posture as Document } from '@countermand/contract'
import type { Posture, PostureParts } from '../posture/posture.ts'
import { Machine, inFolder } from './fakes.ts'
import { Told, grounds, openPosture, type Ground } from './posture.ts'

export const actionOf = ({ action }: Document): string => action ?? ''
export const nothing = { action: null, type: 'None' } as const

export interface Trial {
  readonly folder: string
  readonly machine: Machine
  readonly ground: Ground
  readonly news: Told
  readonly posture: Posture
  /** The next agent, over the same folder and host. */
  readonly again: (given?: Partial<PostureParts>) => Promise<Posture>
  /** Time passes, and the agent looks. */
  readonly later: (seconds: number, posture?: Posture) => Promise<void>
  /** An exchange that was sent now, and accepted. */
  readonly contact: (posture?: Posture) => Promise<void>
}

export const withAspect = (
  aspect: Aspect,
  run: (trial: Trial) => Promise<void>,
  given: Partial<PostureParts> = {},
): Promise<void> =>
  inFolder(async (folder) => {
    const machine = new Machine()
    const ground = grounds[aspect](machine)
    const { control } = ground
    const news = new Told()
    const again = async (more: Partial<PostureParts> = {}): Promise<Posture> => {
      const opened = await openPosture(folder, machine, { news, control, ...given, ...more })
      // What is slow goes on by itself.
      await opened.tick()
      return opened
    }
    const posture = await again()
    const later = async (seconds: number, of = posture): Promise<void> => {
      for (let passed = 0; passed < seconds; passed += 1) {
        machine.seconds += 1
        await of.tick()
      }
    }
    const contact = (of = posture): Promise<void> => {
      machine.seconds += 0.5
      return of.answered({ sentAt: machine.seconds })
    }
    await run({ folder, machine, ground, news, posture, again, later, contact })
    await posture.close()
  })

/** It stands, confirmed. */
export async function stand({ posture, contact }: Trial, document: Document): Promise<void> {
  await posture.take(document)
  await contact()
}
