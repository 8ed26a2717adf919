/**
 * Disks of a test's own: small ones, and ones that become read-only. They are mounted where only who is `inside` sees them, and
 * are gone with this process, however it ends. From outside they are reached by a link, so that both sides say the same path.
 * Files of the system's own can be put in the place of others, too.
 */
import { execFileSync, spawn } from 'node:child_process'
import {
  mkdirSync,
  readlinkSync,
  rmSync,
  statfsSync,
  symlinkSync,
  closeSync,
  openSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { until } from '../end-to-end/program.ts'

export interface Mounts {
  /** A program that is started by this sees the disks. */
  readonly inside: readonly string[]
  /** Makes `folder/name` an empty disk of this many bytes. */
  disk(folder: string, name: string, bytes: number): Disk
  /** Puts a file in the place of another. */
  bind(file: string, place: string): void
  close(): Promise<void>
}

export interface Disk {
  /** Takes all the room that there is. */
  fill(): void
  /** Gives it back. */
  empty(): void
  /** For whoever opens something from now on; what is open for writing stays so (a real remount is refused meanwhile). */
  readOnly(isSo: boolean): void
}

/**
 * Opens a mount namespace that lives as long as its holder, which ends with our end of the pipe. `isAlone`: who is inside has a
 * network of its own too, and nobody in it.
 */
export async function openMounts({ isAlone = false } = {}): Promise<Mounts> {
  const holder = spawn('unshare', ['--mount', ...(isAlone ? ['--net'] : []), 'cat'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const gone = new Promise((resolve) => holder.once('close', resolve))
  const own = `/proc/${holder.pid}/ns`
  const inside = ['nsenter', `--mount=${own}/mnt`, ...(isAlone ? [`--net=${own}/net`] : []), '--']
  const run = (...command: readonly string[]): void => {
    const [file = '', ...args] = [...inside, ...command]
    execFileSync(file, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  }
  const ownMounts = readlinkSync('/proc/self/ns/mnt')
  await until('the namespace', () => readlinkSync(`/proc/${holder.pid}/ns/mnt`) !== ownMounts)
  return {
    inside,
    disk: (folder, name, bytes) => {
      const place = join(folder, `disk-of-${name}`)
      mkdirSync(place)
      run('mount', '-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'countermand-test', place)
      // The link goes through the holder's root: it leads to the disk on both sides.
      symlinkSync(`/proc/${holder.pid}/root${place}`, join(folder, name))
      const ballast = join(folder, name, 'ballast')
      return {
        fill: () => fill(ballast),
        empty: () => rmSync(ballast),
        readOnly: (isSo) => {
          if (!isSo) return run('umount', '--lazy', place)
          run('mount', '--bind', place, place)
          run('mount', '-o', 'remount,bind,ro', place)
        },
      }
    },
    bind: (file, place) => run('mount', '--bind', file, place),
    close: async () => {
      holder.stdin.end()
      await gone
    },
  }
}

/** To the last block, whoever else is writing just then. */
function fill(file: string): void {
  const block = Buffer.alloc(statfsSync(join(file, '..')).bsize)
  const ballast = openSync(file, 'w')
  try {
    for (;;) writeSync(ballast, block)
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOSPC')) throw thrown
  } finally {
    closeSync(ballast)
  }
}
