/** How the host of one running agent stands, in every aspect, over its folder and with its clock. */
import type { Aspect, PostureReports, Postures } from '@countermand/contract'
import type { Host } from '../host/host.ts'
import { readIdentity } from '../identity.ts'
import type { Answer } from '../sync.ts'
import { plainly } from '../trouble.ts'
import { controlsOf, type Control } from './control.ts'
import { postureFile } from './posture-file.ts'
import { Posture, type PostureParts } from './posture.ts'
import { dropChallenge } from './release.ts'
import { releasedFile } from './released-file.ts'
import { restore } from './restore.ts'
import { pinServer } from './server-name.ts'
import { openStanding, type Standing } from './standing.ts'

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
  /** Of all aspects, as `Standing` has it of one: true where anything was taken off. */
  leave(): Promise<boolean>
  stay(): Promise<void>
  forget(): Promise<void>
}

/** Stands as it did when this resolves, as far as that goes at once. */
export async function openPostures(parts: OpenParts): Promise<OpenPostures & { stop(): void }> {
  const { dataFolder, host, server, whyNot, log, syncSoon } = parts
  const pin = (addresses: readonly string[], only: boolean): void => pinServer(server, addresses, only)
  const standings: { control: Control; standing: Standing }[] = []
  for (const control of controlsOf(host, server, pin)) {
    const { aspect } = control
    const [file, released] = [postureFile(dataFolder, aspect), releasedFile(dataFolder, aspect)]
    const given = { ...parts, control, file, released, whyNot: () => whyNot(aspect) }
    const open = (): Promise<Posture> => Posture.open(given)
    standings.push({ control, standing: await openStanding({ control, file, released, syncSoon, open }) })
  }
  const timer = setInterval(() => standings.forEach(({ standing }) => void standing.tick()), lookMs)
  return {
    ...together(standings, dataFolder, log),
    stop: () => {
      clearInterval(timer)
      for (const { standing } of standings) void standing.close()
    },
  }
}

type Each = readonly { readonly control: Control; readonly standing: Standing }[]

/** One after the other, but for what is slow: it goes on by itself, and other orders come through meanwhile. */
export function together(standings: Each, dataFolder: string, log: (line: string) => void): OpenPostures {
  const each = async (work: (standing: Standing, aspect: Aspect) => Promise<void>): Promise<void> => {
    for (const { control, standing } of standings) {
      const done = work(standing, control.aspect)
      if (!control.isSlow) await done
      // Kept, and tried again once a second.
      else done.catch((thrown: unknown) => log(`an order about ${control.aspect} waits: ${plainly(thrown)}`))
    }
  }
  return {
    take: (documents) =>
      each(async (standing, aspect) => {
        const document = documents[aspect]
        if (document !== undefined) await standing.take(document)
      }),
    answered: (answer) => each((standing) => standing.answered(answer)),
    newEpoch: () => each((standing) => standing.newEpoch()),
    report: () =>
      Object.fromEntries(standings.map(({ control, standing }) => [control.aspect, standing.report()])),
    leave: async () => {
      let isAny = false
      for (const { standing } of standings) isAny = (await standing.leave()) || isAny
      return isAny
    },
    stay: async () => {
      for (const { standing } of standings) await standing.stay()
    },
    forget: async () => {
      for (const { standing } of standings) await standing.forget()
      await dropChallenge(dataFolder)
    },
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
