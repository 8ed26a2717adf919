/** The host of one pretended device: what is done to it goes as its fates have it. */
import type { Aspect } from '@countermand/contract'
import type { Host } from '../host/host.ts'
import { pretendHost } from './host.ts'
import type { KnownFates } from './fates.ts'
import type { PretendedScopes } from './scopes.ts'

export interface DeviceHostParts {
  readonly name: string
  readonly dataFolder: string
  readonly fates: KnownFates
  readonly scopes: PretendedScopes
  readonly bootId: () => string
  /** By which action this host is to stand so: by a generation, or, where that is not known, as it was told last. */
  readonly standsBy: (aspect: Aspect, generation: number | null) => string | null
}

/** How often something that cannot be taken back is tried in vain. */
const inVain = 5

export function deviceHost({ name, dataFolder, fates, scopes, ...parts }: DeviceHostParts): Host {
  const host = pretendHost(dataFolder, scopes)
  const { puts, firewall, execution } = host
  const placed = new Map<string, string>()
  const isolating = standing(fates)
  const restricting = standing(fates)
  return {
    ...host,
    bootId: parts.bootId,
    readFacts: async () => ({ ...(await host.readFacts()), ...factsOf(name) }),
    puts: {
      ...puts,
      plan: async (from, as, keptAt) => {
        const put = await puts.plan(from, as, keptAt)
        placed.set(put.place, idIn(keptAt))
        return put
      },
      takeBack: async (put) =>
        fates.of(placed.get(put.place) ?? '').undoFails === true
          ? [`pretended: ${put.place} could not be taken away`]
          : puts.takeBack(put),
    },
    firewall: {
      ...firewall,
      apply: (barrier) => {
        const id = parts.standsBy('isolation', barrier?.generation ?? null)
        return isolating(id, barrier !== null, () => firewall.apply(barrier))
      },
    },
    execution: {
      ...execution,
      apply: (isRestricted) =>
        restricting(parts.standsBy('restriction', null), isRestricted, () => execution.apply(isRestricted)),
    },
  }
}

/** Makes a host stand, or free, as the fate of the action has it by which it is to. */
function standing(
  fates: KnownFates,
): (id: string | null, isActive: boolean, make: () => Promise<void>) => Promise<void> {
  let by = ''
  let refused = 0
  return async (id, isActive, make) => {
    if (isActive && fates.of(id ?? '').fails === true) throw new Error('pretended: the host was not made so')
    if (!isActive && fates.of(by).undoFails === true && refused < inVain) {
      refused += 1
      throw new Error('pretended: it could not be taken away')
    }
    if (isActive) [by, refused] = [id ?? '', 0]
    if (id !== null) await fates.held(id)
    await make()
    if (id !== null) fates.ended(id)
  }
}

/** Of the folder that an action has in the journal. */
const idIn = (path: string): string => /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(path)?.[0] ?? ''

/** As one of many that look alike, told apart by its name. */
function factsOf(name: string): Pick<Awaited<ReturnType<Host['readFacts']>>, 'hostName' | 'ipAddresses'> {
  const number = Number(/\d+$/.exec(name)?.[0] ?? 0)
  const low = [(number >> 16) & 255, (number >> 8) & 255, number & 255]
  const hex = low.map((byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join('')
  return {
    hostName: name,
    ipAddresses: [
      {
        ipAddress: `10.${low.join('.')}`,
        macAddress: `0242AC${hex}`,
        type: 'Ethernet',
        operationalStatus: 'Up',
      },
    ],
  }
}
