/** The executables that this host's packages have brought, and that are still as they were brought. Blocks: for a thread of its own. */
import { createHash } from 'node:crypto'
import {
  type Stats,
  closeSync,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  realpathSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { codeOf } from '../../files.ts'
import {
  packageOf,
  placeOf,
  readConffiles,
  readDiversions,
  readSums,
  type Diversion,
  type Packaged,
} from './dpkg.ts'

/** Its content was that of the package, by the package's own sum, when it was read. */
export interface Trusted extends Packaged {
  readonly size: number
  readonly sha256: string
}

export interface Survey {
  readonly trusted: readonly Trusted[]
  /** Another content than their package brought. */
  readonly changed: readonly string[]
  /** Names that the list of trust cannot hold. */
  readonly unlistable: readonly string[]
}

export const noSurvey: Survey = { trusted: [], changed: [], unlistable: [] }

/** What starts a program is an executable alone: the kernel opens a library like any other file. */
const isExecutable = (mode: number): boolean => (mode & 0o111) !== 0

/**
 * `root`: where all paths begin, empty for this host. What `former` knows by path and sum is not read again: a file that was changed
 * since has another SHA-256 than the one listed, and is not trusted for it.
 */
export function survey(root: string, former: Survey): Survey {
  const known = new Map(former.trusted.map((file) => [keyOf(file), file]))
  const trusted = new Map<string, Trusted>()
  const changed = new Set<string>()
  const unlistable = new Set<string>()
  const realFolders = new Map<string, string | null>()
  for (const { path: named, md5 } of packaged(root)) {
    const path = realPath(root, named, realFolders)
    const about = path === null ? null : lstat(join(root, path))
    if (path === null || about === null || !about.isFile() || !isExecutable(about.mode)) continue
    if (!isListable(path)) {
      unlistable.add(path)
      continue
    }
    const before = known.get(keyOf({ path, md5 }))
    const file = before?.size === about.size ? before : read(root, { path, md5 })
    if (file === null) changed.add(path)
    else trusted.set(path, file)
  }
  for (const path of trusted.keys()) changed.delete(path)
  return { trusted: [...trusted.values()], changed: [...changed], unlistable: [...unlistable] }
}

const keyOf = ({ path, md5 }: Packaged): string => `${md5} ${path}`

/** A blank ends a path, and whatever no one sees may end the file. */
const isListable = (path: string): boolean => !/[\s\p{C}#]/u.test(path)

function* packaged(root: string): Generator<Packaged> {
  const folder = join(root, '/var/lib/dpkg')
  const diversions = readDiversions(text(join(folder, 'diversions')))
  const byPath = Map.groupBy(diversions, ({ path }) => path)
  const none: readonly Diversion[] = []
  for (const name of readdirSync(join(folder, 'info'))) {
    if (!name.endsWith('.md5sums')) continue
    const owner = packageOf(name)
    for (const { path, md5 } of readSums(text(join(folder, 'info', name))))
      yield { path: placeOf(path, owner, byPath.get(path) ?? none), md5 }
  }
  yield* readConffiles(text(join(folder, 'status')))
}

/** Programs are known by the path that has no link in it: `/bin/sh` of a package is `/usr/bin/sh` where `/bin` is a link. */
function realPath(root: string, path: string, folders: Map<string, string | null>): string | null {
  const folder = dirname(path)
  let real = folders.get(folder)
  if (real === undefined) {
    try {
      real = realpathSync(join(root, folder)).slice(root.length) || '/'
    } catch {
      real = null
    }
    folders.set(folder, real)
  }
  return real === null ? null : join(real, basename(path))
}

function lstat(path: string): Stats | null {
  try {
    return lstatSync(path)
  } catch {
    return null
  }
}

/** Null for a content that is not the package's. */
function read(root: string, { path, md5 }: Packaged): Trusted | null {
  const sums = [createHash('md5'), createHash('sha256')]
  const buffer = Buffer.allocUnsafe(1 << 20)
  let size = 0
  try {
    const file = openSync(join(root, path), 'r')
    try {
      for (let length = 1; length > 0; size += length) {
        length = readSync(file, buffer, 0, buffer.length, null)
        for (const sum of sums) sum.update(buffer.subarray(0, length))
      }
    } finally {
      closeSync(file)
    }
  } catch {
    return null
  }
  const [itsMd5, sha256 = ''] = sums.map((sum) => sum.digest('hex'))
  return itsMd5 === md5 ? { path, md5, size, sha256 } : null
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return ''
    throw thrown
  }
}
