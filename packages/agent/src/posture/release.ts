/** Lifts on the spot what stands, by an answer that the server has signed over a challenge: for a device that is cut off. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Release, canonical, challengePrefix, fits, messageTypes } from '@countermand/contract'
import type { Firewall } from '../host/firewall/types.ts'
import { removeFolder, writeDurably } from '../host/files.ts'
import type { Identity } from '../identity.ts'
import { readJson } from '../journal.ts'
import { openOrder } from '../verify.ts'
import { isolates, postureFile } from './posture-file.ts'
import { releasedFile } from './released-file.ts'

export interface ReleaseParts {
  readonly dataFolder: string
  readonly identity: Pick<Identity, 'machineId' | 'orderKey'>
  readonly firewall: Firewall
  /** ISO 8601. */
  readonly now: () => string
}

/** In plain words, why nothing was lifted. */
export class NotReleased extends Error {}

const fileOf = (dataFolder: string): string => join(dataFolder, 'challenge.json')

export const openChallenge = (dataFolder: string): Promise<Release | null> =>
  readJson<Release>(fileOf(dataFolder))

export const dropChallenge = (dataFolder: string): Promise<void> => removeFolder(fileOf(dataFolder))

/** A fresh challenge in its text form; the one before it is worth nothing any more. @throws NotReleased where nothing stands. */
export async function challenge(parts: ReleaseParts): Promise<string> {
  const generation = await standing(parts)
  const nonce = randomBytes(16).toString('base64url')
  const asked: Release = { machineId: parts.identity.machineId, generation, nonce }
  const text = JSON.stringify(asked)
  await writeDurably(fileOf(parts.dataFolder), text)
  return challengePrefix + Buffer.from(text).toString('base64url')
}

/** On disk before the barrier is lifted, so that nobody puts it back. @throws NotReleased, and nothing has changed. */
export async function release(parts: ReleaseParts, answer: string): Promise<void> {
  const { dataFolder, identity, firewall, now } = parts
  const asked = await openChallenge(dataFolder)
  if (asked === null)
    throw new NotReleased('No challenge is open here: `countermand-agent release` prints one first.')
  const type = messageTypes.release
  const order: unknown = await openOrder(answer.trim(), { type, orderKey: identity.orderKey })
  if (!fits(Release, order) || canonical(order) !== canonical(asked))
    throw new NotReleased(
      'That is not an answer by the server of this device to the challenge that is open: nothing was changed.',
    )
  if ((await standing(parts)) !== asked.generation)
    throw new NotReleased('Something else stands by now than the challenge speaks of: print a new one.')
  await releasedFile(dataFolder).write({ generation: asked.generation, nonce: asked.nonce, at: now() })
  await firewall.apply(null)
  // Last: should the kernel refuse, the same answer may be tried again.
  await dropChallenge(dataFolder)
}

/** The generation that stands; of an agent that is new here and found a barrier, 0. @throws NotReleased where nothing stands. */
async function standing({ dataFolder, firewall }: ReleaseParts): Promise<number> {
  const state = await postureFile(dataFolder).read()
  const document = state?.candidate?.document ?? state?.confirmed
  const isLifted = (await releasedFile(dataFolder).read()) !== null
  if (document !== undefined && isolates(document) && !isLifted) return document.generation
  const found = (await firewall.lack()) === null ? await firewall.difference(null) : null
  if (found === null) throw new NotReleased('Nothing stands here that could be lifted.')
  return document?.generation ?? 0
}
