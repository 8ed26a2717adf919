/** What stands on this host and why, in plain words, for whoever sits in front of it. */
import type { Allowed, Posture as Document } from '@countermand/contract'
import type { Firewall } from '../host/firewall/types.ts'
import type { Identity } from '../identity.ts'
import { epitaph, readTombstone } from '../offboard/tombstone.ts'
import { plainly } from '../trouble.ts'
import { barrierOf } from './barrier.ts'
import { isolates, nothing, postureFile, type PostureState } from './posture-file.ts'
import { openChallenge } from './release.ts'
import { releasedFile } from './released-file.ts'

export interface StatusParts {
  readonly dataFolder: string
  readonly identity: Pick<Identity, 'machineId' | 'server'> | null
  readonly firewall: Firewall
}

export async function status(parts: StatusParts): Promise<readonly string[]> {
  const { dataFolder, identity } = parts
  const state = await postureFile(dataFolder).read()
  const released = await releasedFile(dataFolder).read()
  const isLifted = released !== null && released.nonce !== state?.releasedNonce
  const challenge = await openChallenge(dataFolder)
  const tombstone = await readTombstone(dataFolder)
  const wanted = isLifted ? nothing : (state?.candidate?.document ?? state?.confirmed ?? null)
  return [
    identity === null
      ? tombstone === null
        ? 'This device is enrolled nowhere.'
        : epitaph(tombstone)
      : `This is device ${identity.machineId} of ${identity.server}.`,
    ...(state === null ? ['No server has ever said how this host is to stand.'] : stands(state, isLifted)),
    ...(released !== null && isLifted
      ? [`It was released on the spot at ${released.at}, until the next contact with the server.`]
      : []),
    await inTheKernel(parts, wanted),
    ...(challenge === null
      ? []
      : [
          `A challenge is open, for generation ${challenge.generation}: \`release --answer TEXT\` answers it.`,
        ]),
  ]
}

function stands({ confirmed, since, candidate }: PostureState, isLifted: boolean): string[] {
  if (isLifted) return ['Nothing stands.']
  const told = [`${describe(confirmed)}, since ${since ?? 'the beginning'}.`, ...details(confirmed)]
  if (candidate === null) return told
  const { document, appliedAt, takenAt } = candidate
  const isAwaited = appliedAt !== null && isolates(document)
  return [
    ...told,
    `Taken at ${takenAt}: ${describe(document)}.`,
    ...details(document),
    isAwaited
      ? `It is in force, and ${document.isolation.confirm === 'revert' ? 'is taken back unless' : 'not confirmed before'} the server answers.`
      : 'It is not in force yet.',
  ]
}

function describe({ generation, isolation: { type, action } }: Document): string {
  const why = action === null ? '' : ` by action ${action}`
  const how = type === 'None' ? 'not isolated' : `isolated (${type})`
  return `Generation ${generation}: ${how}${why}`
}

function details(document: Document): string[] {
  if (!isolates(document)) return []
  const { allow } = document.isolation
  return [
    `Its server is reached at ${document.server.join(', ') || 'no address'}.`,
    ...(allow.length === 0 ? [] : [`What passes besides: ${allow.map(named).join('; ')}.`]),
  ]
}

function named(allowed: Allowed): string {
  if ('owner' in allowed) return `processes of ${allowed.owner}`
  const { address, ports, protocol = 'tcp' } = allowed
  return ports === undefined ? address : `${address} ${protocol} ${ports.join(', ')}`
}

async function inTheKernel({ firewall, identity }: StatusParts, wanted: Document | null): Promise<string> {
  try {
    const lack = await firewall.lack()
    if (lack !== null) return `This host cannot be isolated: ${lack}`
    const isUnknown = wanted === null || identity === null
    const found = await firewall.difference(isUnknown ? null : barrierOf(wanted, identity.server))
    return found === null ? 'The kernel has just that.' : `The kernel has it otherwise: ${found}`
  } catch (thrown) {
    return `What the kernel has could not be read: ${plainly(thrown)}`
  }
}
