/** Whether this host may be contained: the server that runs on it would be cut off from every other device, or could not start what it needs. */
import type { Aspect, Capability } from '@countermand/contract'
import type { Host } from '../host/host.ts'

export interface ContainmentParts {
  readonly host: Pick<Host, 'firewall' | 'execution' | 'isThisHost'>
  readonly allowContainment: boolean
  /** It runs beside the server, as its child. */
  readonly tied: boolean
}

const able = { able: true } as const
const own = (word: string): Capability => ({
  able: false,
  why: 'switched_off',
  detail: `this host runs the control server; start with --allow-containment to let it be ${word}`,
})

/** Answers as often as it is asked. `server`: the base URL, null where it is not known yet. */
export function openContainment(
  parts: ContainmentParts,
): (server: string | null) => Promise<Readonly<Record<Aspect, Capability>>> {
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
    const otherwise = (word: string): Capability => (isOwn ? own(word) : able)
    return {
      isolation: lack === null ? otherwise('isolated') : { able: false, why: 'missing_tool', detail: lack },
      restriction: obstacle === null ? otherwise('restricted') : { able: false, ...obstacle },
    }
  }
}

export const whyNot = (capability: Capability | undefined): string | null =>
  capability === undefined || capability.able ? null : capability.detail
