// What a device says of itself.
import { readFileSync } from 'node:fs'
import { arch, hostname, networkInterfaces, platform, release } from 'node:os'
import { bootId } from './clock.ts'

const mostAddresses = 256

/** One address of the device, as the reference writes it. */
export interface AddressFact {
  readonly ipAddress: string
  /** Twelve hexadecimal digits in upper case; null for what has no hardware address, such as a tunnel. */
  readonly macAddress: string | null
  readonly type: 'Ethernet' | 'Wireless80211' | 'Ppp' | 'Tunnel' | 'Unknown'
  /** Always up: the system lists no others. */
  readonly operationalStatus: 'Up'
}

/** The device as it is now. */
export interface Facts {
  readonly hostName: string
  readonly osPlatform: string
  /** The kernel's release. */
  readonly osVersion: string
  /** A number on Windows only. */
  readonly osBuild: number | null
  readonly osArchitecture: '64-bit' | '32-bit'
  readonly osProcessor: string
  /** The distribution's version, such as `12`; null for one that has none. */
  readonly version: string | null
  /** In stable order, loopback left out, at most 256. */
  readonly ipAddresses: readonly AddressFact[]
  readonly bootId: string
}

/** Reads what the device says of itself; some milliseconds, no network. */
export function readFacts(): Facts {
  return {
    hostName: hostname(),
    osPlatform: platformName(platform()),
    osVersion: release(),
    osBuild: platform() === 'win32' ? Number(release().split('.')[2]) : null,
    osArchitecture: ['arm', 'ia32', 'mips', 'mipsel', 'ppc', 's390'].includes(arch()) ? '32-bit' : '64-bit',
    osProcessor: arch(),
    version: platform() === 'linux' ? distributionVersion(readText('/etc/os-release')) : release(),
    ipAddresses: addresses(),
    bootId: bootId(),
  }
}

/** `VERSION_ID` of os-release text; null for rolling distributions, which have none. */
export function distributionVersion(osRelease: string): string | null {
  return /^VERSION_ID=(["']?)(.+)\1$/m.exec(osRelease)?.[2] ?? null
}

function platformName(system: NodeJS.Platform): string {
  const names: Partial<Record<NodeJS.Platform, string>> = {
    linux: 'Linux',
    darwin: 'macOS',
    win32: 'Windows',
  }
  return names[system] ?? system
}

function addresses(): readonly AddressFact[] {
  const interfaces = Object.entries(networkInterfaces()).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const all = interfaces.flatMap(([name, found = []]) => {
    const type = typeOf(name)
    const outward = found.filter(({ internal }) => !internal)
    // IPv4 first, then by text: the kernel's own order changes with each renewed lease.
    const key = ({ family, address }: (typeof outward)[number]): string => `${family} ${address}`
    const inOrder = outward.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
    return inOrder.map(({ address, mac }) => ({
      ipAddress: address,
      macAddress: /^[0:]+$/.test(mac) ? null : mac.replaceAll(':', '').toUpperCase(),
      type,
      operationalStatus: 'Up' as const,
    }))
  })
  return all.slice(0, mostAddresses)
}

/** By the kernel's hardware type (ARPHRD_…): 1 Ethernet, 512 PPP, 65534 none, 768 to 778 tunnels. */
function typeOf(name: string): AddressFact['type'] {
  const hardware = Number(readText(`/sys/class/net/${name}/type`) || '1')
  if (hardware === 1)
    return readText(`/sys/class/net/${name}/uevent`).includes('DEVTYPE=wlan') ? 'Wireless80211' : 'Ethernet'
  if (hardware === 512) return 'Ppp'
  return hardware === 65534 || (hardware >= 768 && hardware <= 778) ? 'Tunnel' : 'Unknown'
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
