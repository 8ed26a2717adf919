/** The posture of one running agent, over its folder and its host, with its clock. */
import type { Host } from '../host/host.ts'
import { readIdentity } from '../identity.ts'
import { plainly } from '../trouble.ts'
import { postureFile } from './posture-file.ts'
import { Posture, type PostureParts } from './posture.ts'
import { releasedFile } from './released-file.ts'
import { restore } from './restore.ts'
import { pinServer } from './server-name.ts'
import { openStanding, type Standing } from './standing.ts'

const lookMs = 1_000

interface OpenParts extends Pick<PostureParts, 'news' | 'server' | 'whyNot' | 'syncSoon' | 'log'> {
  readonly dataFolder: string
  readonly host: Host
}

export interface OpenPosture extends Omit<Standing, 'tick' | 'close'> {
  stop(): void
}

/** Stands as it did when this resolves, as far as the kernel lets it. */
export async function openPosture({ dataFolder, host, ...parts }: OpenParts): Promise<OpenPosture> {
  const { firewall } = host
  const pin: PostureParts['pin'] = (addresses, only) => pinServer(parts.server, addresses, only)
  const [file, released] = [postureFile(dataFolder), releasedFile(dataFolder)]
  const open = (): Promise<Posture> => Posture.open({ ...parts, host, firewall, file, released, pin })
  const standing = await openStanding({ ...parts, dataFolder, firewall, pin, open })
  const timer = setInterval(() => void standing.tick(), lookMs)
  return {
    ...standing,
    stop: () => {
      clearInterval(timer)
      void standing.close()
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
  try {
    const document = await restore({ dataFolder, server, host, firewall: host.firewall })
    if (document === null) return
    pinServer(server, document.server, true)
    log(`generation ${document.generation} stands: isolated (${document.isolation.type})`)
  } catch (thrown) {
    log(`what stood could not be put back yet: ${plainly(thrown)}`)
  }
}
