/** What stands on this host and why, in plain words, for whoever sits in front of it. */
import type { Posture as Document } from '@countermand/contract'
import type { Identity } from '../identity.ts'
import { epitaph, readTombstone } from '../offboard/tombstone.ts'
import { plainly } from '../trouble.ts'
import type { Control } from './control.ts'
import { isActive, nothing, postureFile, type PostureState } from './posture-file.ts'
import { openChallenge } from './release.ts'
import { releasedFile } from './released-file.ts'

export interface StatusParts {
  readonly dataFolder: string
  readonly identity: Pick<Identity, 'machineId' | 'server'> | null
  readonly controls: readonly Control[]
}

export async function status({ dataFolder, identity, controls }: StatusParts): Promise<readonly string[]> {
  const challenge = await openChallenge(dataFolder)
  const tombstone = await readTombstone(dataFolder)
  const lines = [
    identity === null
      ? tombstone === null
        ? 'This device is enrolled nowhere.'
        : epitaph(tombstone)
      : `This is device ${identity.machineId} of ${identity.server}.`,
  ]
  for (const control of controls) {
    lines.push('', `${titles[control.aspect]}:`)
    for (const line of await statusOf(control, dataFolder, identity !== null)) lines.push(`  ${line}`)
  }
  if (challenge !== null)
    lines.push('', 'A challenge to lift what stands is open: `release --answer TEXT` answers it.')
  return lines
}

const titles = { isolation: 'Isolation', restriction: 'Restriction of which programs start' } as const

async function statusOf(
  control: Control,
  dataFolder: string,
  isEnrolled: boolean,
): Promise<readonly string[]> {
  const state = await postureFile(dataFolder, control.aspect).read()
  const released = await releasedFile(dataFolder, control.aspect).read()
  const isLifted = released !== null && released.nonce !== state?.releasedNonce
  const wanted =
    isLifted || !isEnrolled ? nothing : (state?.candidate?.document ?? state?.confirmed ?? nothing)
  return [
    ...(state === null ? ['No server has ever said how this host is to stand.'] : []),
    ...(isLifted ? ['Nothing stands.'] : state === null ? [] : stands(state, control)),
    ...(isLifted
      ? [`It was released on the spot at ${released.at}, until the next contact with the server.`]
      : []),
    await onTheHost(control, wanted),
  ]
}

function stands({ confirmed, since, candidate }: PostureState, control: Control): string[] {
  const { details } = control.describe(confirmed)
  const told = [`${sentence(confirmed, control)}, since ${since ?? 'the beginning'}.`, ...details]
  if (candidate === null) return told
  const { document, appliedAt, takenAt } = candidate
  return [
    ...told,
    `Taken at ${takenAt}: ${sentence(document, control)}.`,
    ...control.describe(document).details,
    appliedAt !== null && isActive(document)
      ? `It is in force, and ${document.passage?.confirm === 'keep' ? 'not confirmed before' : 'is taken back unless'} the server answers.`
      : 'It is not in force yet.',
  ]
}

function sentence(document: Document, control: Control): string {
  const { generation, action } = document
  const why = action === null ? '' : ` by action ${action}`
  return `Generation ${generation}: ${control.describe(document).state}${why}`
}

async function onTheHost(control: Control, wanted: Document): Promise<string> {
  try {
    const lack = await control.lack()
    if (lack !== null && !isActive(wanted)) return `It is not possible here: ${lack}`
    const found = await control.difference(wanted)
    return found === null ? 'The host stands just so.' : `The host stands otherwise: ${found}`
  } catch (thrown) {
    return `How the host stands could not be read: ${plainly(thrown)}`
  }
}
