// Copies of files from one file system to another, by cp(1): Node knows nothing of extended attributes.
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

/** With all that a file is beside its content; times to the nanosecond. */
const everything = 'mode,ownership,timestamps,xattr'
const withoutAttributes = 'mode,ownership,timestamps'

/** One end of a copy: a descriptor of this process (a name need not be text, and an argument must), and what is below it. */
export interface End {
  readonly fd: number
  /** Left out where the descriptor is the file itself. */
  readonly name?: string
}

/**
 * Copies a file; not yet on disk. False where its extended attributes could not be copied along. What was at `to` is overwritten.
 * @throws Error in plain words
 */
export async function copy(from: End, to: End): Promise<boolean> {
  if ((await cp(everything, from, to)) === null) return true
  const trouble = await cp(withoutAttributes, from, to)
  if (trouble !== null)
    throw Object.assign(new Error(trouble), /No space left/.test(trouble) ? { code: 'ENOSPC' } : {})
  return false
}

/** What went wrong, or null. */
async function cp(what: string, from: End, to: End): Promise<string | null> {
  const args = [`--preserve=${what}`, '--force', '--no-target-directory', '--', pathOf(from), pathOf(to)]
  const child = spawn('cp', args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  const [status, said] = await Promise.all([ended, text(child.stderr)])
  if (status === 0) return null
  // Its paths are descriptors, and of no use to anybody.
  return `cp: ${said.trim().split(': ').at(-1) ?? `status ${status}`}`
}

const pathOf = ({ fd, name }: End): string =>
  `/proc/${process.pid}/fd/${fd}${name === undefined ? '' : `/${name}`}`
