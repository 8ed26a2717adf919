/**
 * ClamAV as this host has it. Always `clamscan`, which does its work in the process that is started: what a daemon scans for it runs
 * outside the action's scope, where no cancel would reach it.
 */
import { existsSync } from 'node:fs'
import { readFile, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { installLine, type PackageManager } from './install-line.ts'

export interface Scanner {
  /** The scanner and its options, to be followed by what is to be scanned; or the line that brings what is lacking. */
  find(): Promise<{ readonly command: readonly string[] } | { readonly lack: string }>
  /** What runs, what is started by itself, and where things are dropped: executables, folders, files. */
  startingPlaces(): Promise<readonly string[]>
  /** Where the file systems of this host's own disks are mounted. */
  localFileSystems(): Promise<readonly string[]>
  /** The file that the scanner in a scope has open just now; null where that cannot be seen. */
  lookedAt(scope: string): Promise<string | null>
}

const programs = ['/usr/bin/clamscan', '/usr/local/bin/clamscan']
/** Where distributions keep signatures. */
const usualSignatures = '/var/lib/clamav'
const isDatabase = (name: string): boolean => /\.(cvd|cld|cud|hdb|hsb|mdb|msb|ndb|ldb|yar|yara)$/.test(name)

/** In two packages where there is apt or dnf. */
const packagesOf = (manager: PackageManager): readonly string[] =>
  manager === 'apt' || manager === 'dnf' ? ['clamav', 'clamav-freshclam'] : ['clamav']

/** `signatures`: a folder of its own instead of the distribution's. */
export function openScanner(signatures: string | null): Scanner {
  return {
    find: async () => {
      const program = programs.find((path) => existsSync(path))
      if (program === undefined) {
        return { lack: installLine(packagesOf) ?? 'the package clamav of this system' }
      }
      const folder = signatures ?? usualSignatures
      const names = await readdir(folder).catch(() => [])
      if (!names.some(isDatabase)) return { lack: `freshclam (there are no signatures in ${folder})` }
      const options = ['--recursive', '--infected', '--cross-fs=no', `--database=${folder}`]
      return { command: [program, ...options] }
    },
    startingPlaces,
    localFileSystems,
    lookedAt,
  }
}

/** What a scanner has open beside its own three streams; the one that it opened last. Without cgroup v2 nobody is asked. */
async function lookedAt(scope: string): Promise<string | null> {
  const members = await readFile(join(scope, 'cgroup.procs'), 'utf8').catch(() => '')
  for (const pid of members.split('\n').filter(Boolean)) {
    const program = await readlink(`/proc/${pid}/exe`).catch(() => '')
    const open = program.endsWith('/clamscan') ? await readdir(`/proc/${pid}/fd`).catch(() => []) : []
    for (const fd of open.map(Number).toSorted((a, b) => b - a)) {
      const path = fd > 2 ? await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '') : ''
      if (path.startsWith('/') && !path.endsWith(' (deleted)')) return path.slice(0, 300)
    }
  }
  return null
}

const startingFolders = [
  '/tmp',
  '/var/tmp',
  '/dev/shm',
  '/etc/cron.d',
  '/etc/cron.hourly',
  '/etc/cron.daily',
  '/etc/cron.weekly',
  '/etc/cron.monthly',
  '/etc/crontab',
  '/var/spool/cron',
  '/etc/init.d',
  '/etc/rc.local',
  '/etc/profile.d',
  '/etc/systemd',
  '/run/systemd/system',
  '/usr/local/lib/systemd',
  '/etc/ld.so.preload',
  '/etc/xdg/autostart',
]
const inHomes = [
  '.bashrc',
  '.bash_profile',
  '.bash_login',
  '.profile',
  '.zshrc',
  '.ssh/rc',
  '.config/autostart',
  '.config/systemd/user',
  '.local/share/systemd/user',
]

async function startingPlaces(): Promise<readonly string[]> {
  const homes = (await readFile('/etc/passwd', 'utf8').catch(() => ''))
    .split('\n')
    .map((line) => line.split(':')[5] ?? '')
    .filter((home) => home.startsWith('/') && home !== '/')
  const own = [...new Set(homes)].flatMap((home) => inHomes.map((name) => join(home, name)))
  return [...(await runningExecutables()), ...[...startingFolders, ...own].filter((path) => existsSync(path))]
}

/** Each once. One that has been removed from its folder is still there for as long as it runs. */
async function runningExecutables(): Promise<readonly string[]> {
  const found = new Set<string>()
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const link = `/proc/${pid}/exe`
    const path = await readlink(link).catch(() => null)
    if (path !== null) found.add(existsSync(path) ? path : link)
  }
  return [...found]
}

/** Not those of other hosts, and none that only look like files. */
export const onOwnDisks = /^(ext[234]|xfs|btrfs|zfs|f2fs|jfs|vfat|exfat|ntfs3?|iso9660|overlay|tmpfs|ramfs)$/

async function localFileSystems(): Promise<readonly string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
  const places = lines.flatMap((line) => {
    const [, place = '', type = ''] = /^\S+ \S+ \S+ \S+ (\S+) .* - (\S+) /.exec(line) ?? []
    return onOwnDisks.test(type)
      ? [place.replaceAll(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8)))]
      : []
  })
  return [...new Set(places)]
}
