// Takes files away and puts them back. On its own file system a file is moved, and stays the very file that it was, under as many
// names; from another one it is copied, and the names go after the copy is whole.
import { randomBytes } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { codeOf, makeFolder, removeFolder } from '../files.ts'
import { openQuietly, sha1Of } from './hashing.ts'
import { shown } from './names.ts'
import { clearAsides, putBack } from './put-back.ts'
import { encoded, placeOf, readRecord, readRecords, toItem, writeRecord, type ItemRecord } from './record.ts'
import { AnotherFile, OtherFileSystem, inodeOf, keep, type Taking } from './take.ts'
import type { Item, Moment, Name, Quarantine } from './types.ts'

export interface QuarantineOptions {
  readonly folder: string
  /** Told of each moment; a test dies at one. */
  readonly moment?: (moment: Moment) => void
}

export function openQuarantine({ folder, moment = () => undefined }: QuarantineOptions): Quarantine {
  const parts = { folder, moment }
  return {
    folder,
    list: async (action) =>
      (await readRecords(folder))
        .filter((record) => action === undefined || record.action === action)
        .map(toItem),
    take: (path, about) => take(parts, path, about),
    putBack: async (id) => {
      const record = await readRecord(folder, id)
      return record === null ? [] : putBack(parts, record)
    },
    mend: async (action) => {
      const residues: string[] = []
      for (const record of await readRecords(folder)) {
        if (record.action !== action) continue
        if (record.kept < record.names.length) residues.push(...(await putBack(parts, record)))
        else await clearAsides(folder, record)
      }
      return residues
    },
  }
}

export type QuarantineParts = Required<QuarantineOptions>

async function take(
  parts: QuarantineParts,
  path: Name,
  about: { readonly action: string; readonly sha1: string },
): Promise<Item | null> {
  await makeFolder(parts.folder)
  const file = await openQuietly(path).catch(unlessElsewhere)
  if (file === null) return null
  try {
    const found = await file.stat({ bigint: true })
    if (!found.isFile() || (await sha1Of(file)) !== about.sha1) return null
    const before = await recordOf(parts, found, about)
    return toItem(await taken(parts, { path, file, found, before }))
  } catch (thrown) {
    if (thrown instanceof AnotherFile) return null
    throw new Error(`${shown(path)} could not be taken away: ${wordsOf(thrown)}`, { cause: thrown })
  } finally {
    await file.close()
  }
}

interface Wanted {
  readonly path: Name
  readonly file: FileHandle
  readonly found: BigIntStats
  readonly before: ItemRecord
}

async function taken(parts: QuarantineParts, { path, file, found, before }: Wanted): Promise<ItemRecord> {
  const index = before.names.length
  const record: ItemRecord = { ...before, names: [...before.names, encoded(path)] }
  const taking: Taking = { ...parts, path, file, found, index }
  try {
    return await keep(taking, record)
  } catch (thrown) {
    await leave(parts, before, record)
    if (!(thrown instanceof OtherFileSystem)) throw thrown
  }
  // A mount of the same device in another place: no name can be moved across.
  const { id } = await newPlace(parts)
  const afresh: ItemRecord = { ...record, id, names: [], kept: 0, way: 'copied' }
  const copied: ItemRecord = { ...afresh, names: [encoded(path)] }
  try {
    return await keep({ ...taking, index: 0 }, copied)
  } catch (thrown) {
    await leave(parts, afresh, copied)
    throw thrown
  }
}

async function newPlace({ folder }: QuarantineParts): Promise<{ readonly id: string }> {
  const id = randomBytes(6).toString('hex')
  await makeFolder(placeOf(folder, id))
  return { id }
}

/** It is as it was before, on the disk as well. */
async function leave(parts: QuarantineParts, before: ItemRecord, record: ItemRecord): Promise<void> {
  const { folder } = parts
  const written = await readRecord(folder, record.id)
  if (before.names.length > 0) await writeRecord(folder, before)
  else if (written === null) await removeFolder(placeOf(folder, record.id))
  else await putBack(parts, written)
}

/** Another name of a file that lies here already joins it; else it is a new one. */
async function recordOf(
  parts: QuarantineParts,
  found: BigIntStats,
  { action, sha1 }: { readonly action: string; readonly sha1: string },
): Promise<ItemRecord> {
  const { folder } = parts
  const inode = inodeOf(found)
  const same = (await readRecords(folder)).find(
    (record) => record.action === action && record.inode === inode && record.names.length < record.links,
  )
  if (same !== undefined) return same
  const { dev } = await stat(folder, { bigint: true })
  return {
    ...(await newPlace(parts)),
    action,
    sha1,
    size: Number(found.size),
    names: [],
    kept: 0,
    mode: Number(found.mode & 0o7777n),
    inode,
    links: Number(found.nlink),
    way: dev === found.dev ? 'moved' : 'copied',
    takenAt: new Date().toISOString(),
    isBare: false,
  }
}

/** It has gone, or there is something else by now. */
function unlessElsewhere(thrown: unknown): null {
  if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(codeOf(thrown) ?? '')) return null
  throw thrown
}

const isFull = 'the disk of the quarantine is full. Make room there, and ask again'
const words: Readonly<Record<string, string>> = {
  ENOSPC: isFull,
  EDQUOT: isFull,
  EROFS: 'its file system is read-only',
  EPERM: 'that is not permitted; it may be immutable (chattr -i takes that off)',
}

const wordsOf = (thrown: unknown): string =>
  words[codeOf(thrown) ?? ''] ?? (thrown instanceof Error ? thrown.message : String(thrown))
