/** Whether packages of this host are being changed just now. */
import { readFile, stat } from 'node:fs/promises'
import { numbersOf } from './daemon.ts'

/** The one of who installs, and the one of dpkg itself. */
const locks = ['/var/lib/dpkg/lock-frontend', '/var/lib/dpkg/lock']

export async function arePackagesChanging(): Promise<boolean> {
  const held = (await readFile('/proc/locks', 'utf8')).split('\n')
  for (const path of locks) {
    const about = await stat(path).catch(() => null)
    if (about !== null && held.some((line) => line.includes(' POSIX ') && isOn(line, about))) return true
  }
  return false
}

/** File systems without a disk of their own, btrfs among them, have other numbers there. */
function isOn(line: string, { dev, ino }: { readonly dev: number; readonly ino: number }): boolean {
  const [, major = '', minor = '', inode] = / ([0-9a-f]+):([0-9a-f]+):(\d+) /.exec(line) ?? []
  if (Number(inode) !== ino) return false
  const numbers = numbersOf(dev)
  return (
    numbers.major === 0 || (numbers.major === parseInt(major, 16) && numbers.minor === parseInt(minor, 16))
  )
}
