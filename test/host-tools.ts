/**
 * What some tests ask of the machine beyond npm's packages. Run as a program (`npm test` does, before Vitest)
 * it brings what is missing, where it may; `needs.ts` asks the same table which tests can run.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface HostTool {
  /** The Debian and Ubuntu package that brings it. */
  readonly package: string
  /** A harmless use of it: being there is not enough where a container forbids what it does. */
  readonly probe: readonly string[]
  /** The use is harmless in a network of its own, so it has one. */
  readonly isNetwork?: true
  /** A library rather than a command: where its package puts it, and who is asked to use it. */
  readonly library?: { readonly path: string; readonly command: string }
  /** Its package starts this at once where there is systemd, and must not: nothing would start any more. */
  readonly service?: string
}

export const hostTools = {
  strace: { package: 'strace', probe: ['-o', '/dev/null', 'true'] },
  unshare: { package: 'util-linux', probe: ['--net', 'true'] },
  clamscan: { package: 'clamav', probe: ['--version'] },
  openssl: { package: 'openssl', probe: ['version'] },
  curl: { package: 'curl', probe: ['--version'] },
  // For the system's own Python, whichever comes first on the path.
  msal: {
    package: 'python3-msal',
    probe: ['-c', 'import msal, requests'],
    library: { path: '/usr/lib/python3/dist-packages/msal', command: '/usr/bin/python3' },
  },
  busybox: { package: 'busybox', probe: ['true'] },
  nsenter: { package: 'util-linux', probe: ['--mount=/proc/self/ns/mnt', 'true'] },
  flock: { package: 'util-linux', probe: ['/dev/null', 'true'] },
  ping: { package: 'iputils-ping', probe: ['-V'] },
  ip: { package: 'iproute2', probe: ['link', 'add', 'type', 'veth'], isNetwork: true },
  tc: {
    package: 'iproute2',
    probe: 'qdisc add dev lo root tbf rate 1mbit burst 9kb latency 9ms'.split(' '),
    isNetwork: true,
  },
  nft: {
    package: 'nftables',
    probe: ['add table netdev t; add chain netdev t c; add rule netdev t c numgen random mod 2 < 1 drop'],
    isNetwork: true,
  },
  // A daemon: its own help is a failure, its client's is not.
  fapolicyd: {
    package: 'fapolicyd',
    probe: ['--help'],
    library: { path: '/usr/sbin/fapolicyd', command: '/usr/sbin/fapolicyd-cli' },
    service: 'fapolicyd',
  },
} as const satisfies Record<string, HostTool>

export type HostToolName = keyof typeof hostTools

export function isThere(tool: HostToolName): boolean {
  const { library }: HostTool = hostTools[tool]
  return library === undefined ? isOnPath(tool) : existsSync(library.path)
}

export function isOnPath(command: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, command)))
}

export function isRoot(): boolean {
  return process.getuid?.() === 0
}

/** The words a person can paste to bring a tool. */
export function howToBring(tool: HostToolName): string {
  const { package: brings, service }: HostTool = hostTools[tool]
  const first = service !== undefined && isOfSystemd() ? `systemctl mask ${service} && ` : ''
  return `${first}apt-get install ${brings}`
}

const isOfSystemd = (): boolean => existsSync('/run/systemd/system')

/** Says whether it may be installed. */
function isKeptFromStarting({ service }: HostTool): boolean {
  if (service === undefined || !isOfSystemd()) return true
  return spawnSync('systemctl', ['mask', service]).status === 0
}

/** Installs what is missing where that is ours to do: as root, on Debian and its kin, unless forbidden. */
function bringMissing(): void {
  const names = Object.keys(hostTools) as HostToolName[]
  const missing = names.filter((name) => !isThere(name))
  if (missing.length === 0) return
  if (!isRoot() || !isOnPath('apt-get') || process.env.COUNTERMAND_NO_APT === '1') return

  const wanted = missing.filter((name) => isKeptFromStarting(hostTools[name]))
  const packages = [...new Set(wanted.map((name) => hostTools[name].package))]
  console.error(`Installing ${packages.join(', ')} for the tests (COUNTERMAND_NO_APT=1 forbids it) …`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  for (const args of [['update'], ['install', '--no-install-recommends', '-y', ...packages]]) {
    const { status, stdout, stderr } = spawnSync('apt-get', args, { env, encoding: 'utf8' })
    if (status === 0) continue
    // Not the end: the tests that need it say so themselves, and fail under CI.
    console.error(`${stdout}${stderr}\napt-get ${args[0]} failed; the tests that need it are left out.`)
    return
  }
}

if (import.meta.main) bringMissing()
