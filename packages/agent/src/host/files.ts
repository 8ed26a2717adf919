// Files that are what they say after a power cut: whole or not there, and in their folder.
import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, rename, rm, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

const forOwnerOnly = 0o600

/** Replaces a file as a whole. When this resolves it is on disk, content and name; whoever reads sees the old or the new. */
export async function writeDurably(
  path: string,
  content: Uint8Array | string,
  mode = forOwnerOnly,
): Promise<void> {
  const draft = await writeDraft(path, content, mode)
  try {
    await rename(draft, path)
  } catch (error) {
    await unlink(draft)
    throw error
  }
  await syncFolder(dirname(path))
}

/**
 * Creates a file as a whole if there is none of that name: of several callers, one is told true. When this resolves, what
 * it says is on disk, also for one who lost: the winner's file is there to stay. Modes and owners as `writeDurably`.
 */
export async function createExclusively(path: string, content: Uint8Array | string): Promise<boolean> {
  const draft = await writeDraft(path, content, forOwnerOnly)
  try {
    // Unlike opening with O_EXCL, this gives the name to a file that is complete.
    await link(draft, path)
    return true
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    return false
  } finally {
    await unlink(draft)
    await syncFolder(dirname(path))
  }
}

/**
 * Puts a folder's entries on disk: a synced file whose name is not is lost all the same. Whoever goes on from what an earlier agent has
 * written does this before reading it: that one may have been killed before it could, and what is built on it by then would
 * outlive it when the power is cut.
 */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes a folder, and those above it, for the owner only; on disk when this resolves. One that exists is left as it is. */
export async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = resolve(path); ; made = dirname(made)) {
    await syncFolder(dirname(made))
    if (made === resolve(first)) return
  }
}

/** Removes a folder and what is in it, on disk when this resolves. One that is not there is no error. */
export async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true })
  await syncFolder(dirname(path))
}

/** Overwrites a file where it lies and removes it, on disk when this resolves. One that is not there is no error. */
export async function shred(path: string): Promise<void> {
  const file = await open(path, 'r+').catch(unlessGone)
  if (file === null) return
  try {
    const { size } = await file.stat()
    await file.write(Buffer.alloc(size), 0, size, 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await removeFolder(path)
}

/** Cuts a file down to its first `maxBytes` and says whether it was longer. Who appends to it goes on after the cut. */
export async function trimFile(path: string, maxBytes: number): Promise<boolean> {
  const file = await open(path, 'r+')
  try {
    if ((await file.stat()).size <= maxBytes) return false
    await file.truncate(maxBytes)
    return true
  } finally {
    await file.close()
  }
}

/** The first `maxBytes` of a file, or all of it if it is shorter. */
export async function readHead(path: string, maxBytes: number): Promise<Uint8Array> {
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.alloc(maxBytes)
    let length = 0
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, maxBytes - length)
      if (bytesRead === 0) return buffer.subarray(0, length)
      length += bytesRead
    }
  } finally {
    await file.close()
  }
}

/** The last whole or half line of a file, without signs that nobody can see, at most 300 of the others; null where it has none. */
export async function readLastLine(path: string): Promise<string | null> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const length = Math.min(size, 4096)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length)
    const lines = buffer.toString('utf8', 0, bytesRead).split(/[\r\n]+/)
    const last = lines.map((line) => line.replaceAll(/\p{C}/gu, '').trim()).findLast((line) => line !== '')
    return last?.slice(0, 300) ?? null
  } finally {
    await file.close()
  }
}

/** The system's name for what went wrong (`ENOENT`), or undefined for another kind of error. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** For what may not be there. */
export function unlessGone(thrown: unknown): null {
  if (codeOf(thrown) === 'ENOENT') return null
  throw thrown
}

async function writeDraft(path: string, content: Uint8Array | string, mode: number): Promise<string> {
  const draft = `${path}.tmp-${randomUUID()}`
  const file = await open(draft, 'wx', mode)
  try {
    await file.writeFile(content)
    await file.sync()
  } catch (error) {
    await unlink(draft)
    throw error
  } finally {
    await file.close()
  }
  return draft
}

/**
 * Removes drafts that a crash has left in a folder: files under other names than their own, which nobody would ever read. `of`: only
 * those of these files, where others in the folder may be being written just now.
 */
export async function removeDrafts(folder: string, of?: readonly string[]): Promise<void> {
  const names = await readdir(folder)
  const isDraft = (name: string): boolean =>
    of === undefined ? name.includes('.tmp-') : of.some((file) => name.startsWith(`${file}.tmp-`))
  await Promise.all(names.filter(isDraft).map((name) => rm(join(folder, name), { force: true })))
}
