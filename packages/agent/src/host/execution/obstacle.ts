/** Why a host cannot be restricted. */
import { existsSync, readlinkSync } from 'node:fs'
import { installLine } from '../install-line.ts'
import { findProgram } from '../programs.ts'
import { findDaemons } from './daemon.ts'
import type { Obstacle } from './types.ts'

/** What dpkg writes anew with whatever it does. */
export const dpkgStatus = '/var/lib/dpkg/status'
const ownUnit = '/etc/systemd/system/fapolicyd.service'
const enabledUnit = '/etc/systemd/system/multi-user.target.wants/fapolicyd.service'

const packages = [
  ['fapolicyd', 'fapolicyd'],
  ['unshare', 'util-linux'],
  ['flock', 'util-linux'],
  ['mount', 'mount'],
] as const

export function obstacleTo(source: string): Obstacle | null {
  if (!existsSync(dpkgStatus))
    return {
      why: 'platform',
      detail: 'what is trusted is what dpkg has installed, and this host installs with something else',
    }
  const missing = new Set<string>()
  for (const [name, brings] of packages) if (findProgram(name) === null) missing.add(brings)
  if (missing.size > 0) return { why: 'missing_tool', detail: lineFor([...missing]) }
  const other = findDaemons(source).find(({ isOurs }) => !isOurs)
  const end = '"systemctl mask --now fapolicyd" leaves it to Countermand'
  if (other !== undefined)
    return { why: 'in_use', detail: `it runs a fapolicyd that is not ours (pid ${other.pid}); ${end}` }
  if (isOfSystemd() && linkAt(enabledUnit) !== null && linkAt(ownUnit) !== '/dev/null')
    return { why: 'in_use', detail: `its own fapolicyd starts when it boots; ${end}` }
  return null
}

/**
 * Where there is systemd, Debian's package starts the daemon at once, by one rule that lets nothing start: neither would what is to end
 * it. So it is kept from that before.
 */
export function lineFor(missing: readonly string[]): string {
  const line = installLine(() => missing) ?? `the packages ${missing.join(' and ')} of this system`
  return missing.includes('fapolicyd') && isOfSystemd() ? `systemctl mask fapolicyd && ${line}` : line
}

/** Is it systemd that starts what is to run here? */
const isOfSystemd = (): boolean => existsSync('/run/systemd/system')

/** What a link says; null where there is none. */
function linkAt(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch {
    return null
  }
}
