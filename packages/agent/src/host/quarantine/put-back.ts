// Files out of quarantine, under the names that they had. A name that somebody has given to something else meanwhile is left to it.
import { chmod, lstat, open, type FileHandle } from 'node:fs/promises'
import { codeOf, removeFolder, unlessGone } from '../files.ts'
import { copy } from './copy.ts'
import { openQuietly, sha1Of } from './hashing.ts'
import { folderOf, joined, shown } from './names.ts'
import type { QuarantineParts } from './quarantine.ts'
import { encoded, nameOf, placeOf, writeRecord, type ItemRecord } from './record.ts'
import { asideOf, contentOf, inodeOf, linkBack, linked, removeName } from './take.ts'
import type { Name } from './types.ts'

/**
 * Every name that can be is back, and on disk, when this resolves. Safe twice, and after a crash in the middle. Returns what remains,
 * in words; that stays in quarantine.
 */
export async function putBack(parts: QuarantineParts, record: ItemRecord): Promise<readonly string[]> {
  const residues: string[] = []
  const left: string[] = []
  const names = record.names.map((name, index) => ({ path: nameOf(name), index }))
  for (const { path, index } of names) {
    const words = await backFrom(parts, record, path, index).catch(wordsOf)
    if (words === null) continue
    residues.push(residueOf(record, path, words))
    left.push(encoded(path))
  }
  if (left.length === 0) await removeFolder(placeOf(parts.folder, record.id))
  else await writeRecord(parts.folder, leftOf(record, left))
  return residues
}

/** Where it was moved a name's number is where it lies, so names that are back stay on the list. */
const leftOf = (record: ItemRecord, left: readonly string[]): ItemRecord =>
  record.way === 'moved'
    ? { ...record, kept: record.names.length }
    : { ...record, names: left, kept: left.length, links: left.length }

const residueOf = ({ id }: ItemRecord, path: Name, words: string): string =>
  `${shown(path).slice(0, 3000)} is not back: ${words}. The file stays in quarantine as ${id} (countermand-agent quarantine restore ${id})`

/** Null where the name is back, or was never taken. */
async function backFrom(
  parts: QuarantineParts,
  record: ItemRecord,
  path: Name,
  index: number,
): Promise<string | null> {
  const aside = asideOf(parts.folder, record, path, index)
  const there = await lstat(aside, { bigint: true }).catch(unlessGone)
  // One that was never taken is in its place.
  if (there === null)
    return record.way === 'moved' || index >= record.kept ? null : copiedBack(parts, record, path)
  // A stranger, moved in its stead a moment before a crash, is as it was.
  const isOurs = inodeOf(there) === record.inode
  if (isOurs) await chmod(aside, record.mode)
  const isBack = await linkBack(aside, path)
  parts.moment('quarantine-back')
  if (isBack) return null
  if (isOurs) await chmod(aside, 0)
  // Nothing goes aside before its content is in here.
  if (isOurs && record.way === 'copied') await removeName(aside)
  return taken
}

/** What an agent has left of names whose content is in quarantine for certain. */
export async function clearAsides(folder: string, record: ItemRecord): Promise<void> {
  if (record.way === 'moved') return
  for (const [index, name] of record.names.slice(0, record.kept).entries())
    await removeName(asideOf(folder, record, nameOf(name), index))
}

const taken = 'something else is there by now'

async function copiedBack(parts: QuarantineParts, record: ItemRecord, path: Name): Promise<string | null> {
  const name = `.countermand-${record.id}-back`
  const draft = joined(folderOf(path), Buffer.from(name))
  // An earlier try may have died, before or after this name was back.
  await removeName(draft)
  if (await isThere(path, record.sha1)) return null
  const sibling = await siblingOf(record, path)
  if (sibling !== null) return (await linked(sibling, path)) ? null : taken
  const from = await open(contentOf(parts.folder, record.id), 'r')
  const folder = await open(folderOf(path), 'r').catch(async (thrown: unknown) => {
    await from.close()
    throw thrown
  })
  try {
    await copy({ fd: from.fd }, { fd: folder.fd, name })
    await seal(draft, record)
    const isBack = await linked(draft, path)
    parts.moment('quarantine-back')
    return isBack ? null : taken
  } finally {
    await removeName(draft)
    await from.close()
    await folder.close()
  }
}

/** Another of its names that is back already, so that they are one file again. */
async function siblingOf(record: ItemRecord, path: Name): Promise<Buffer | null> {
  for (const other of record.names.map(nameOf))
    if (!other.equals(path) && (await isThere(other, record.sha1))) return other
  return null
}

/** Its content is right, and on disk, before it has a name of its own. */
async function seal(draft: Buffer, { sha1, mode }: ItemRecord): Promise<void> {
  const file = await open(draft, 'r')
  try {
    if ((await sha1Of(file)) !== sha1) throw new Error('what lies in quarantine is not what was put there')
    await file.chmod(mode)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function isThere(path: Name, sha1: string): Promise<boolean> {
  let file: FileHandle | null = null
  try {
    file = await openQuietly(path)
    return (await file.stat()).isFile() && (await sha1Of(file)) === sha1
  } catch {
    return false
  } finally {
    await file?.close()
  }
}

const words: Readonly<Record<string, string>> = {
  ENOENT: 'its folder has gone',
  ENOTDIR: 'its folder has gone',
  ENOSPC: 'its disk is full',
  EDQUOT: 'its disk is full',
}

const wordsOf = (thrown: unknown): string =>
  words[codeOf(thrown) ?? ''] ?? (thrown instanceof Error ? thrown.message : String(thrown))
