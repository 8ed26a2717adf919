/** Lifts on the spot what stands, by an answer that the server has signed over a challenge: for a device that is cut off. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Release, aspects, canonical, challengePrefix, fits, messageTypes } from '@countermand/contract'
import { removeFolder, writeDurably } from '../host/files.ts'
import type { Identity } from '../identity.ts'
import { readJson } from '../journal.ts'
import { openOrder } from '../verify.ts'
import type { Control } from './control.ts'
import { isActive, nothing, postureFile } from './posture-file.ts'
import { releasedFile } from './released-file.ts'

export interface ReleaseParts {
  readonly dataFolder: string
  readonly identity: Pick<Identity, 'machineId' | 'orderKey'>
  readonly controls: readonly Control[]
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
  const generations = await standing(parts)
  const nonce = randomBytes(16).toString('base64url')
  const asked: Release = { machineId: parts.identity.machineId, generations, nonce }
  const text = JSON.stringify(asked)
  await writeDurably(fileOf(parts.dataFolder), text)
  return challengePrefix + Buffer.from(text).toString('base64url')
}

/** On disk before anything is lifted, so that nobody puts it back. @throws NotReleased, and nothing has changed. */
export async function release(parts: ReleaseParts, answer: string): Promise<void> {
  const { dataFolder, identity, controls, now } = parts
  const asked = await openChallenge(dataFolder)
  if (asked === null)
    throw new NotReleased('No challenge is open here: `countermand-agent release` prints one first.')
  const type = messageTypes.release
  const order: unknown = await openOrder(answer.trim(), { type, orderKey: identity.orderKey })
  if (!fits(Release, order) || canonical(order) !== canonical(asked))
    throw new NotReleased(
      'That is not an answer by the server of this device to the challenge that is open: nothing was changed.',
    )
  const still = await standing(parts)
  // Less than was asked for: of an earlier try, which the host has refused half-way.
  if (aspects.some((aspect) => still[aspect] !== undefined && still[aspect] !== asked.generations[aspect]))
    throw new NotReleased('Something else stands by now than the challenge speaks of: print a new one.')
  const lifted = controls.filter(({ aspect }) => asked.generations[aspect] !== undefined)
  for (const { aspect } of lifted)
    await releasedFile(dataFolder, aspect).write({ nonce: asked.nonce, at: now() })
  for (const control of lifted) await control.apply(nothing)
  // Last: should the host refuse, the same answer may be tried again.
  await dropChallenge(dataFolder)
}

/** What stands, by aspect: the generation, 0 where an agent that is new here has found something of ours. @throws NotReleased where nothing does */
async function standing({ dataFolder, controls }: ReleaseParts): Promise<Release['generations']> {
  const found: Release['generations'] = {}
  for (const control of controls) {
    const { aspect } = control
    const state = await postureFile(dataFolder, aspect).read()
    const document = state?.candidate?.document ?? state?.confirmed ?? nothing
    const isLifted = (await releasedFile(dataFolder, aspect).read()) !== null
    if ((isActive(document) && !isLifted) || (await isFound(control))) found[aspect] = document.generation
  }
  if (Object.keys(found).length === 0) throw new NotReleased('Nothing stands here that could be lifted.')
  return found
}

const isFound = async (control: Control): Promise<boolean> =>
  (await control.lack()) === null && (await control.difference(nothing)) !== null
