// The plain files below a place, as paths of bytes. It follows no link and leaves no file system.
import { lstat, opendir, realpath } from 'node:fs/promises'
import { codeOf } from '../files.ts'
import { isBelow, joined } from './names.ts'
import type { Name } from './types.ts'

export interface Walk {
  /** Places where other file systems are mounted: not gone into. */
  readonly mounted: ReadonlySet<string>
  /** A folder that is left out. */
  readonly except: Name
}

export const keyOf = (path: Name): string => Buffer.from(path).toString('latin1')

/** What cannot be read is passed over: it has gone, or its disk is bad. */
export async function* filesBelow(place: Name, walk: Walk): AsyncGenerator<Buffer> {
  const top = await realpath(Buffer.from(place), { encoding: 'buffer' }).catch(() => null)
  if (top === null) return
  const stats = await lstat(top).catch(() => null)
  if (stats?.isFile() === true) yield top
  if (stats?.isDirectory() !== true) return
  const folders: Name[] = [top]
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    if (isBelow(folder, walk.except)) continue
    for await (const { path, isFolder } of entriesOf(folder)) {
      if (!isFolder) yield path
      else if (!walk.mounted.has(keyOf(path))) folders.push(path)
    }
  }
}

/** The types know only of names that are text. */
const asBytes: object = { encoding: 'buffer', bufferSize: 256 }

async function* entriesOf(
  folder: Name,
): AsyncGenerator<{ readonly path: Buffer; readonly isFolder: boolean }> {
  try {
    for await (const entry of await opendir(Buffer.from(folder), asBytes)) {
      const name: unknown = entry.name
      if (!(name instanceof Uint8Array)) throw new Error('The system gave a name that is no bytes.')
      if (entry.isDirectory() || entry.isFile())
        yield { path: joined(folder, name), isFolder: entry.isDirectory() }
    }
  } catch (thrown) {
    if (codeOf(thrown) === undefined) throw thrown
  }
}
