/** Whether this host may be isolated: the server that runs on it would be cut off from every other device. */
import type { Capability } from '@countermand/contract'
import type { Host } from '../host/host.ts'

export interface ContainmentParts {
  readonly host: Pick<Host, 'firewall' | 'isThisHost'>
  readonly allowContainment: boolean
  /** It runs beside the server, as its child. */
  readonly tied: boolean
}

const ownTo = (what: string): Capability => ({
  able: false,
  why: 'switched_off',
  detail: `this host runs the control server; start with --allow-containment to let ${what}`,
})

/** Answers as often as it is asked. `server`: the base URL, null where it is not known yet. */
export function openContainment(parts: ContainmentParts): (server: string | null) => Promise<Capability> {
  const spared = openSparing(parts, 'it be isolated')
  return async (server) => {
    const lack = await parts.host.firewall.lack()
    return lack === null ? spared(server) : { able: false, why: 'missing_tool', detail: lack }
  }
}

/** The same of whatever else could end the server, and needs no tool; `what` it is, in words. */
export function openSparing(
  parts: Omit<ContainmentParts, 'host'> & { readonly host: Pick<Host, 'isThisHost'> },
  what: string,
): (server: string | null) => Promise<Capability> {
  const { host, allowContainment, tied } = parts
  // Asked once: names cannot be resolved by a host that is isolated, and a server that moves here brings another start.
  const known = new Map<string, boolean>()
  const isHere = async (server: string): Promise<boolean> => {
    const name = new URL(server).hostname
    const answer = known.get(name) ?? (await host.isThisHost(name).catch(() => null))
    if (answer !== null) known.set(name, answer)
    return answer ?? false
  }
  return async (server) => {
    if (allowContainment) return { able: true }
    return tied || (server !== null && (await isHere(server))) ? ownTo(what) : { able: true }
  }
}

export const whyNot = (capability: Capability | undefined): string | null =>
  capability === undefined || capability.able ? null : capability.detail
