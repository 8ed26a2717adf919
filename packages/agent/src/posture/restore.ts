/** Puts back what stands, from disk alone: before there is a network, a server, or anybody to ask. */
import { confirmWithinMs, type Posture as Document } from '@countermand/contract'
import type { Firewall } from '../host/firewall/types.ts'
import type { Host } from '../host/host.ts'
import { barrierOf } from './barrier.ts'
import { isolates, postureFile, type PostureState } from './posture-file.ts'
import { releasedFile } from './released-file.ts'

export interface RestoreParts {
  readonly dataFolder: string
  readonly server: string
  readonly firewall: Firewall
  readonly host: Pick<Host, 'bootSeconds' | 'bootId'>
}

/** What stands now, or null where nothing does. Throws where the kernel does not take it. */
export async function restore({
  dataFolder,
  server,
  firewall,
  host,
}: RestoreParts): Promise<Document | null> {
  const state = await postureFile(dataFolder).read()
  const released = await releasedFile(dataFolder).read()
  if (state === null || (released !== null && released.nonce !== state.releasedNonce)) return null
  const document = whatStands(state, host)
  if (!isolates(document)) return null
  await firewall.apply(barrierOf(document, server))
  return document
}

/** What is not confirmed stands too, as long as its time is not over. */
function whatStands(
  { candidate, confirmed }: PostureState,
  host: Pick<Host, 'bootSeconds' | 'bootId'>,
): Document {
  if (candidate === null) return confirmed
  const { document, appliedAt } = candidate
  const isOver =
    document.isolation.confirm === 'revert' &&
    appliedAt?.bootId === host.bootId() &&
    host.bootSeconds() - appliedAt.bootSeconds >= confirmWithinMs / 1000
  return isOver ? confirmed : document
}
