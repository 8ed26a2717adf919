/** A device that is cut off from this server is lifted on the spot: it asks by a challenge, and takes the order key's word only. */
import { Release, challengePrefix, fits, messageTypes } from '@countermand/contract'
import { Refusal } from '../core/errors.ts'
import type { App } from './ports.ts'
import type { Work } from './rows.ts'

interface Asked {
  readonly id: string
  /** As the agent prints it. */
  readonly challenge: string
  readonly comment: string | null
  readonly by: string
}

/**
 * The answer to a challenge, a JWS by the order key over it: good for that device, what stands there and that challenge. Who had it
 * signed is on record before it is given out. @throws Refusal InvalidInput for what is no challenge, or of another device
 */
export async function releaseDevice(app: App, { id, challenge, comment, by }: Asked): Promise<string> {
  const release = readChallenge(challenge)
  if (release === null)
    throw new Refusal(
      'InvalidInput',
      `Challenge takes what "countermand-agent release" prints on the device: a text that begins with ${challengePrefix}`,
    )
  if (release.machineId !== id)
    throw new Refusal('InvalidInput', `This challenge is of machine ${release.machineId.slice(0, 64)}.`)
  await app.store.write('noteRelease', { id, comment, by, generations: release.generations })
  return app.signer.signOrder(release, messageTypes.release)
}

function readChallenge(text: string): Release | null {
  const trimmed = text.trim()
  if (!trimmed.startsWith(challengePrefix)) return null
  try {
    const bytes = Uint8Array.fromBase64(trimmed.slice(challengePrefix.length), { alphabet: 'base64url' })
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    if (!fits(Release, value)) return null
    const { machineId, generations, nonce } = value
    return { machineId, generations, nonce }
  } catch {
    return null
  }
}

type Signing = Omit<Asked, 'challenge'> & Pick<Release, 'generations'>

export const noteRelease: Work<Signing, void> = ({ events }, { id, by, comment, generations }, { at }) =>
  events.append(
    id,
    { kind: 'device.release_signed', actor: by, alarm: true, data: { generations, comment } },
    at,
  )
