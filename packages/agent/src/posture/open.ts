/** How the host of one running agent stands, in every aspect, over its folder and with its clock. */
import type { Aspect, PostureReports, Postures } from '@countermand/contract'
import type { Host } from '../host/host.ts'
import { readIdentity } from '../identity.ts'
import type { Answer } from '../sync.ts'
import { plainly } from '../trouble.ts'
import { controlsOf, type Control } from './control.ts'
import { postureFile } from './posture-file.ts'
import { Posture, type PostureParts } from './posture.ts'
import { releasedFile } from './released-file.ts'
import { restore } from './restore.ts'
import { pinServer } from './server-name.ts'

const lookMs = 1_000

interface OpenParts extends Pick<PostureParts, 'news' | 'syncSoon' | 'log'> {
  readonly dataFolder: string
  readonly host: Host
  /** Base URL. */
  readonly server: string
  /** Why this host cannot or must not stand so; null where it can. */
  readonly whyNot: (aspect: Aspect) => Promise<string | null>
}

export interface OpenPostures {
  /** What an accepted reply says. Throws where the disk does not take what others wait for. */
  take(documents: Postures): Promise<void>
  answered(answer: Pick<Answer, 'sentAt'>): Promise<void>
  newEpoch(): Promise<void>
  report(): PostureReports
}

/** Stands as it did when this resolves, as far as that goes at once. */
export async function openPostures(parts: OpenParts): Promise<OpenPostures & { stop(): void }> {
  const { dataFolder, host, server, whyNot, log } = parts
  const pin = (addresses: readonly string[], only: boolean): void => pinServer(server, addresses, only)
  const open = (control: Control): Promise<Posture> =>
    Posture.open({
      ...parts,
      control,
      file: postureFile(dataFolder, control.aspect),
      released: releasedFile(dataFolder, control.aspect),
      whyNot: () => whyNot(control.aspect),
    })
  const postures: { control: Control; posture: Posture }[] = []
  for (const control of controlsOf(host, server, pin))
    postures.push({ control, posture: await open(control) })
  const timer = setInterval(() => postures.forEach(({ posture }) => void posture.tick()), lookMs)
  return {
    ...together(postures, log),
    stop: () => {
      clearInterval(timer)
      for (const { posture } of postures) posture.close()
    },
  }
}

type Each = readonly { readonly control: Control; readonly posture: Posture }[]

/** One after the other, but for what is slow: it goes on by itself, and other orders come through meanwhile. */
export function together(postures: Each, log: (line: string) => void): OpenPostures {
  const each = async (work: (posture: Posture, aspect: Aspect) => Promise<void>): Promise<void> => {
    for (const { control, posture } of postures) {
      const done = work(posture, control.aspect)
      if (!control.isSlow) await done
      // Kept, and tried again once a second.
      else done.catch((thrown: unknown) => log(`an order about ${control.aspect} waits: ${plainly(thrown)}`))
    }
  }
  return {
    take: (documents) =>
      each(async (posture, aspect) => {
        const document = documents[aspect]
        if (document !== undefined) await posture.take(document)
      }),
    answered: (answer) => each((posture) => posture.answered(answer)),
    newEpoch: () => each((posture) => posture.newEpoch()),
    report: () =>
      Object.fromEntries(postures.map(({ control, posture }) => [control.aspect, posture.report()])),
  }
}

/** Before a word is said to anybody, enrolment included. What fails here is tried again by the agent that starts now. */
export async function beforeAnything(options: {
  readonly dataFolder: string
  readonly server: string | null
  readonly host: Host
  readonly log: (line: string) => void
}): Promise<void> {
  const { dataFolder, host, log } = options
  const known = await readIdentity(dataFolder)
  if (known === null) return
  const server = options.server ?? known.server
  // What is slow is begun by the agent that starts now, and keeps nobody waiting.
  for (const control of controlsOf(host, server).filter(({ isSlow }) => !isSlow)) {
    try {
      const document = await restore({ dataFolder, host, control })
      if (document === null) continue
      if (document.passage) pinServer(server, document.passage.server, true)
      log(`generation ${document.generation} stands: ${control.describe(document).state}`)
    } catch (thrown) {
      log(`what stood could not be put back yet: ${plainly(thrown)}`)
    }
  }
}
