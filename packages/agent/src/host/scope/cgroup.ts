// cgroup v2 as the kernel shows it: where it is mounted, and what its control files say and do.
import { readFile, readdir, rmdir, statfs, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { codeOf } from '../files.ts'
import { findProcess, signalPid, type Process } from './processes.ts'
import { isTrueWithin } from './waiting.ts'

const cgroup2Magic = 0x63677270

/** Where the hierarchy is mounted, and this process's own place in it, as paths. */
export interface Place {
  readonly mount: string
  readonly own: string
}

/**
 * Reads /proc/self/mountinfo and /proc/self/cgroup: every writable cgroup2 mount that shows this process's own group. It is
 * found by type, since on hybrid hosts /sys/fs/cgroup is a tmpfs, where a folder can be made and means nothing.
 */
export function placesIn(mountinfo: string, cgroup: string): readonly Place[] {
  const group = /^0::(\/.*)$/m.exec(cgroup)?.[1]
  if (group === undefined) return []
  return mountinfo.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ')
    const [, , , root = '', point = '', options = ''] = before.split(' ').map(unescapeMount)
    if (!after.startsWith('cgroup2 ') || !options.split(',').includes('rw')) return []
    // A container may show a part of the hierarchy only; a part without us is of no use.
    const inside = posix.relative(root, group)
    return inside.startsWith('..') ? [] : [{ mount: point, own: join(point, inside) }]
  })
}

/** Is this path (still) on cgroup v2? A root script can unmount it, and then a missing group says nothing. */
export async function isMounted(path: string): Promise<boolean> {
  return statfs(path).then(
    ({ type }) => type === cgroup2Magic,
    () => false,
  )
}

/** Is anything alive in the group or below? Null if there is no such group (ask `isMounted` before believing that). */
export async function isPopulated(group: string): Promise<boolean | null> {
  const events = await orNullIfGone(readFile(join(group, 'cgroup.events'), 'utf8'))
  return events === null ? null : events.includes('populated 1')
}

/** Freezes the group and what is below. False when it was not frozen within `withinMs`; a group that is gone is. */
export async function freezeGroup(group: string, withinMs: number): Promise<boolean> {
  await orNullIfGone(writeFile(join(group, 'cgroup.freeze'), '1', { flag: 'r+' }))
  return isTrueWithin(withinMs, async () => {
    const events = await orNullIfGone(readFile(join(group, 'cgroup.events'), 'utf8'))
    return events === null || events.includes('frozen 1')
  })
}

/** Lets run what comes into the group from now on. One that is gone is no error. */
export async function thawGroup(group: string): Promise<void> {
  await orNullIfGone(writeFile(join(group, 'cgroup.freeze'), '0', { flag: 'r+' }))
}

/** Sends SIGKILL to everything in the group and below; what is frozen dies too, without being thawed. */
export async function killGroup(group: string): Promise<void> {
  try {
    await orNullIfGone(writeFile(join(group, 'cgroup.kill'), '1', { flag: 'r+' }))
  } catch (error) {
    if (!isUnsupported(error)) throw error
    // A root script can turn its own group into a threaded one, which refuses to be killed (tried).
    for (const { pid } of await membersOf(group)) signalPid(pid, 'SIGKILL')
  }
}

/** Every process in the group and below; of a threaded group, its threads. Complete only while the group is frozen. */
export async function membersOf(group: string): Promise<readonly Process[]> {
  const list = async (file: string): Promise<string> =>
    (await orNullIfGone(readFile(join(group, file), 'utf8'))) ?? ''
  const pids = await list('cgroup.procs').catch((error: unknown) => {
    if (!isUnsupported(error)) throw error
    return list('cgroup.threads')
  })
  const found = pids
    .split('\n')
    .filter(Boolean)
    .map((pid) => findProcess(Number(pid)))
  const below = await Promise.all((await groupsIn(group)).map(membersOf))
  const here = found.filter((member) => member !== null).filter(({ isDead }) => !isDead)
  return [...here, ...below.flat()]
}

/** Removes the group, what is below first. True when it is gone; false when something lives in it. */
export async function removeGroup(group: string): Promise<boolean> {
  for (const below of await groupsIn(group)) if (!(await removeGroup(below))) return false
  try {
    await orNullIfGone(rmdir(group))
    return true
  } catch (error) {
    if (codeOf(error) === 'EBUSY' || codeOf(error) === 'ENOTEMPTY') return false
    throw error
  }
}

async function groupsIn(group: string): Promise<readonly string[]> {
  const entries = (await orNullIfGone(readdir(group, { withFileTypes: true }))) ?? []
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(group, entry.name))
}

/** A group that goes while it is read says ENODEV. */
async function orNullIfGone<T>(asked: Promise<T>): Promise<T | null> {
  return asked.catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENODEV') return null
    throw error
  })
}

/** On Linux both names have the same number; libuv says the first. */
function isUnsupported(error: unknown): boolean {
  return codeOf(error) === 'ENOTSUP' || codeOf(error) === 'EOPNOTSUPP'
}

/** Blanks in mountinfo are written in octal. */
function unescapeMount(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
}
