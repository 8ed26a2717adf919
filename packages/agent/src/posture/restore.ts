/** Puts back what stands, from disk alone: before there is a network, a server, or anybody to ask. */
import { confirmWithinMs, type Posture as Document } from '@countermand/contract'
import type { Host } from '../host/host.ts'
import type { Control } from './control.ts'
import { isActive, postureFile, type PostureState } from './posture-file.ts'
import { releasedFile } from './released-file.ts'

export interface RestoreParts {
  readonly dataFolder: string
  readonly control: Control
  readonly host: Pick<Host, 'bootSeconds' | 'bootId'>
}

/** What stands now in this aspect, or null where nothing does. Throws where the host does not take it. */
export async function restore({ dataFolder, control, host }: RestoreParts): Promise<Document | null> {
  const state = await postureFile(dataFolder, control.aspect).read()
  const released = await releasedFile(dataFolder, control.aspect).read()
  if (state === null || (released !== null && released.nonce !== state.releasedNonce)) return null
  const document = whatStands(state, host)
  if (!isActive(document)) return null
  await control.apply(document)
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
    document.passage?.confirm === 'revert' &&
    appliedAt?.bootId === host.bootId() &&
    host.bootSeconds() - appliedAt.bootSeconds >= confirmWithinMs / 1000
  return isOver ? confirmed : document
}
