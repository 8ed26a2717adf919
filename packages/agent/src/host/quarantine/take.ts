// One name of a file on its way into quarantine: aside first, then looked at again, then kept.
import type { BigIntStats } from 'node:fs'
import { link, lstat, open, rename, unlink, type FileHandle } from 'node:fs/promises'
import { codeOf, syncFolder, unlessGone } from '../files.ts'
import { copy } from './copy.ts'
import { sha1Of } from './hashing.ts'
import { folderOf, joined, shown } from './names.ts'
import { placeOf, writeRecord, type ItemRecord } from './record.ts'
import type { Moment, Name } from './types.ts'

export interface Taking {
  readonly folder: string
  readonly moment: (moment: Moment) => void
  readonly path: Name
  /** The file, open, with the right hash a moment ago. */
  readonly file: FileHandle
  readonly found: BigIntStats
  /** Which of the names of its record this is. */
  readonly index: number
}

/** It was replaced, or written to, between the look and the move. It is in its place again. */
export class AnotherFile extends Error {
  override readonly name = 'AnotherFile'
}

/** A name cannot be moved from one to the other. */
export class OtherFileSystem extends Error {
  override readonly name = 'OtherFileSystem'
}

export const inodeOf = ({ dev, ino }: Pick<BigIntStats, 'dev' | 'ino'>): string => `${dev}:${ino}`

/** The content of one that was copied, among its record. */
export const contentOf = (folder: string, id: string): string => `${placeOf(folder, id)}/content`

/** Where a name stands while it is in nobody's place. Where it is moved, this is where it lies. */
export const asideOf = (folder: string, { id, way }: ItemRecord, path: Name, index: number): Buffer =>
  way === 'moved'
    ? Buffer.from(`${placeOf(folder, id)}/${index}`)
    : joined(folderOf(path), Buffer.from(`.countermand-${id}-${index}`))

/**
 * Takes one more name, the last of the record's. @throws AnotherFile, OtherFileSystem, or what the system says, with the name in
 * its place
 */
export async function keep(taking: Taking, record: ItemRecord): Promise<ItemRecord> {
  const { folder, path, index, moment } = taking
  await writeRecord(folder, record)
  moment('quarantine-promised')
  const isFirst = index === 0
  const isBare = record.way === 'copied' && isFirst ? !(await copied(taking, record)) : record.isBare
  const aside = asideOf(folder, record, path, index)
  await renamed(path, aside)
  moment('quarantine-aside')
  await asItWas(taking, record, aside).catch(async (thrown: unknown) => {
    await backAgain(aside, path)
    throw thrown
  })
  const kept: ItemRecord = { ...record, kept: record.names.length, isBare }
  await writeRecord(folder, kept)
  moment('quarantine-kept')
  if (kept.way === 'copied') await removeName(aside)
  return kept
}

/** @throws Error where yet another one has taken the place: then what stood there before lies beside it. */
async function backAgain(aside: Buffer, path: Name): Promise<void> {
  if (await linkBack(aside, path)) return
  const former = Buffer.concat([path, Buffer.from('.former')])
  const isBeside = await linkBack(aside, former)
  throw new Error(
    `it was replaced twice meanwhile; what stood there is now ${shown(isBeside ? former : aside)}`,
  )
}

async function renamed(path: Name, aside: Buffer): Promise<void> {
  try {
    await rename(Buffer.from(path), aside)
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') throw new AnotherFile('It has gone.', { cause: thrown })
    if (codeOf(thrown) === 'EXDEV') throw new OtherFileSystem('It is elsewhere.', { cause: thrown })
    throw thrown
  }
  await syncFolder(folderOf(aside).toString())
  await syncName(path)
}

/** Whatever stood under the name at that moment has been moved: so it is looked at again. */
async function asItWas(
  { file, found }: Taking,
  { mode, sha1, way }: ItemRecord,
  aside: Buffer,
): Promise<void> {
  const there = await lstat(aside, { bigint: true })
  if (inodeOf(there) !== inodeOf(found)) throw new AnotherFile('It was replaced.')
  if (way === 'moved') await file.chmod(0)
  if ((await sha1Of(file)) === sha1) return
  if (way === 'moved') await file.chmod(mode)
  throw new AnotherFile('It was written to.')
}

/** The content, on disk and compared, before any name goes. False where its extended attributes could not come along. */
async function copied({ folder, file, moment }: Taking, { id, sha1 }: ItemRecord): Promise<boolean> {
  const place = await open(placeOf(folder, id), 'r')
  try {
    const isWhole = await copy({ fd: file.fd }, { fd: place.fd, name: 'content' })
    const copyOf = await open(contentOf(folder, id), 'r')
    try {
      await copyOf.chmod(0)
      await copyOf.sync()
      if ((await sha1Of(copyOf)) !== sha1) throw new AnotherFile('It was written to.')
    } finally {
      await copyOf.close()
    }
    await place.sync()
    moment('quarantine-copied')
    return isWhole
  } finally {
    await place.close()
  }
}

/**
 * Gives a file its name again, unless something stands there. `from` is another name of it, which goes. True where the name is its own.
 * @throws what the system says, with `from` still there
 */
export async function linkBack(from: Buffer, path: Name): Promise<boolean> {
  const isBack = await linked(from, path)
  if (isBack) await removeName(from)
  return isBack
}

/** The same, and `from` stays. */
export async function linked(from: Buffer, path: Name): Promise<boolean> {
  const to = Buffer.from(path)
  try {
    await link(from, to)
  } catch (thrown) {
    const isThere = await lstat(to, { bigint: true }).catch(unlessGone)
    if (codeOf(thrown) === 'EEXIST' && isThere !== null)
      return inodeOf(isThere) === inodeOf(await lstat(from, { bigint: true }))
    // No file system for hard links.
    if (!['EPERM', 'EOPNOTSUPP', 'EMLINK'].includes(codeOf(thrown) ?? '') || isThere !== null) throw thrown
    await rename(from, to)
  }
  await syncName(path)
  return true
}

export async function removeName(path: Name): Promise<void> {
  await unlink(Buffer.from(path)).catch(unlessGone)
  await syncName(path)
}

/** Puts on disk what a name means. */
async function syncName(path: Name): Promise<void> {
  const folder = await open(folderOf(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
