/** Whether this host may be contained: the server that runs on it would be cut off from every other device, or could not start what it needs. */
import type { Aspect, Capability } from '@countermand/contract'
import type { Host } from '../host/host.ts'

export interface ContainmentParts {
  readonly host: Pick<Host, 'firewall' | 'execution' | 'isThisHost'>
  readonly allowContainment: boolean
  /** It runs beside the server, as its child. */
  readonly tied: boolean
}

/** What is asked of the server's own host only where somebody has said that it may be. */
export type Contained = Aspect | 'offboarding' | 'quarantine'

const able = { able: true } as const
const words = {
  isolation: 'it be isolated',
  restriction: 'it be restricted',
  offboarding: 'it be offboarded',
  quarantine: 'files of it be quarantined',
} as const
const own = (what: Contained): Capability => ({
  able: false,
  why: 'switched_off',
  detail: `this host runs the control server; start with --allow-containment to let ${words[what]}`,
})

/** Answers as often as it is asked. `server`: the base URL, null where it is not known yet. */
export function openContainment(
  parts: ContainmentParts,
): (server: string | null) => Promise<Readonly<Record<Contained, Capability>>> {
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
    const lack = await host.firewall.lack()
    const obstacle = await host.execution.obstacle()
    const isOwn = !allowContainment && (tied || (server !== null && (await isHere(server))))
    const otherwise = (what: Contained): Capability => (isOwn ? own(what) : able)
    return {
      isolation: lack === null ? otherwise('isolation') : { able: false, why: 'missing_tool', detail: lack },
      restriction: obstacle === null ? otherwise('restriction') : { able: false, ...obstacle },
      offboarding: otherwise('offboarding'),
      quarantine: otherwise('quarantine'),
    }
  }
}

export const whyNot = (capability: Capability | undefined): string | null =>
  capability === undefined || capability.able ? null : capability.detail
