/** Whether this host may be isolated: the server that runs on it would be cut off from every other device. */
import type { Capability } from '@countermand/contract'
import type { Host } from '../host/host.ts'

export interface ContainmentParts {
  readonly host: Pick<Host, 'firewall' | 'isThisHost'>
  readonly allowContainment: boolean
  /** It runs beside the server, as its child. */
  readonly tied: boolean
}

const own = (what: 'isolated' | 'offboarded') =>
  ({
    able: false,
    why: 'switched_off',
    detail: `this host runs the control server; start with --allow-containment to let it be ${what}`,
  }) as const

type Answering = (server: string | null) => Promise<Capability>

/** Answers as often as it is asked. `server`: the base URL, null where it is not known yet. */
export function openContainment(parts: ContainmentParts): Answering {
  const isOwn = openIsOwn(parts)
  return async (server) => {
    const lack = await parts.host.firewall.lack()
    if (lack !== null) return { able: false, why: 'missing_tool', detail: lack }
    return (await isOwn(server)) ? own('isolated') : { able: true }
  }
}

/** Whether it may be offboarded, which needs no tool. */
export function openOffboarding(parts: ContainmentParts): Answering {
  const isOwn = openIsOwn(parts)
  return async (server) => ((await isOwn(server)) ? own('offboarded') : { able: true })
}

/** Is it the server's own host, and was nobody told to let that be? */
function openIsOwn({
  host,
  allowContainment,
  tied,
}: ContainmentParts): (server: string | null) => Promise<boolean> {
  // Asked once: names cannot be resolved by a host that is isolated, and a server that moves here brings another start.
  const known = new Map<string, boolean>()
  const isHere = async (server: string): Promise<boolean> => {
    const name = new URL(server).hostname
    const answer = known.get(name) ?? (await host.isThisHost(name).catch(() => null))
    if (answer !== null) known.set(name, answer)
    return answer ?? false
  }
  return async (server) => !allowContainment && (tied || (server !== null && (await isHere(server))))
}

export const whyNot = (capability: Capability | undefined): string | null =>
  capability === undefined || capability.able ? null : capability.detail
