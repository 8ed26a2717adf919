import { createHash, type Hash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, rmdir, stat, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Part, StoredFile, UploadPlace, Uploads } from '../app/ports.ts'
import { Refusal } from '../core/errors.ts'
import { syncNames } from '../durable.ts'
import { placeOf, whyUnkept } from './folder.ts'

/** How far an upload is, and the hash of its bytes up to there. */
interface Progress {
  readonly offset: number
  readonly hash: Hash
}

const keyOf = ({ actionId, index }: UploadPlace): string => `${actionId}/${index}`

/**
 * Uploads on this machine's disk: `FOLDER/uploads/ACTION/INDEX.OFFSET`. The name says how many bytes of the file count, since a
 * crash in the midst of a part leaves some that nobody has checked. Where more than `mostRemembered` are under way, the hash of
 * one that rests is made from its file again.
 */
export const diskUploads = (folder: string, mostRemembered = 1000): Uploads =>
  new DiskUploads(folder, mostRemembered)

class DiskUploads implements Uploads {
  readonly alone = turns()
  private readonly folder: string
  private readonly mostRemembered: number
  private readonly remembered = new Map<string, Progress>()

  constructor(folder: string, mostRemembered: number) {
    this.folder = folder
    this.mostRemembered = mostRemembered
  }

  async offset(place: UploadPlace): Promise<number | null> {
    const onDisk = this.remembered.has(keyOf(place))
      ? null
      : await countedIn(this.folderOf(place.actionId), place.index)
    return this.remembered.get(keyOf(place))?.offset ?? onDisk
  }

  async append(place: UploadPlace, part: Part): Promise<number> {
    try {
      const { offset, hash } = await this.progressOf(place)
      await mkdir(this.folderOf(place.actionId), { recursive: true, mode: 0o700 })
      const whole = hash.copy()
      const size = await write(this.fileOf(place, offset), offset, part, whole)
      await rename(this.fileOf(place, offset), this.fileOf(place, offset + size))
      return this.remember(place, { offset: offset + size, hash: whole }).offset
    } catch (thrown) {
      throw whyUnkept(thrown)
    }
  }

  async finish(place: UploadPlace, sha256: string, shelf: string): Promise<StoredFile> {
    const { offset, hash } = await this.progressOf(place)
    if (hash.copy().digest('hex') !== sha256) {
      await this.discard(place)
      throw new Refusal('InvalidInput', 'Repr-Digest is not that of what has come; it was discarded.')
    }
    try {
      await syncFile(this.fileOf(place, offset))
      const kept = placeOf(this.folder, shelf, sha256)
      await mkdir(dirname(kept), { recursive: true, mode: 0o700 })
      await rename(this.fileOf(place, offset), kept)
      await syncNames(kept, dirname(this.folder))
    } catch (thrown) {
      throw whyUnkept(thrown)
    }
    this.remembered.delete(keyOf(place))
    return { sha256, size: offset }
  }

  async discard(place: UploadPlace): Promise<void> {
    this.remembered.delete(keyOf(place))
    const own = this.folderOf(place.actionId)
    for (const { name } of await foundIn(own, place.index)) await rm(join(own, name), { force: true })
  }

  actions(): Promise<readonly string[]> {
    return namesIn(join(this.folder, 'uploads'))
  }

  async clear(actionId: string): Promise<void> {
    for (const key of this.remembered.keys()) if (key.startsWith(`${actionId}/`)) this.remembered.delete(key)
    await rm(this.folderOf(actionId), { recursive: true, force: true })
    const results = join(this.folder, 'results', actionId)
    for (const name of await namesIn(results)) await removeEmpty(join(results, name))
    await removeEmpty(results)
  }

  private folderOf(actionId: string): string {
    if (!/^[\w-]+$/.test(actionId)) throw new Error(`No place for uploads of ${actionId}.`)
    return join(this.folder, 'uploads', actionId)
  }

  private fileOf({ actionId, index }: UploadPlace, offset: number): string {
    return join(this.folderOf(actionId), `${index}.${offset}`)
  }

  private remember(place: UploadPlace, progress: Progress): Progress {
    this.remembered.delete(keyOf(place))
    this.remembered.set(keyOf(place), progress)
    const [oldest] = this.remembered.keys()
    if (this.remembered.size > this.mostRemembered && oldest !== undefined) this.remembered.delete(oldest)
    return progress
  }

  /** Where it stands now; after a restart the file is read once more. */
  private async progressOf(place: UploadPlace): Promise<Progress> {
    const known = this.remembered.get(keyOf(place))
    if (known !== undefined) return known
    const offset = await countedIn(this.folderOf(place.actionId), place.index)
    if (offset === null) await this.discard(place)
    const hash = createHash('sha256')
    if (offset !== null && offset > 0) {
      const content = createReadStream(this.fileOf(place, offset), { end: offset - 1 })
      for await (const chunk of content) hash.update(chunk)
    }
    return this.remember(place, { offset: offset ?? 0, hash })
  }
}

/** One after the other under each name; nothing is kept of a name that nobody waits for. */
function turns(): Uploads['alone'] {
  const last = new Map<string, Promise<void>>()
  return async (place, work) => {
    const key = keyOf(place)
    const before = last.get(key)
    const { promise: over, resolve: end } = Promise.withResolvers<void>()
    last.set(key, over)
    await before
    try {
      return await work()
    } finally {
      if (last.get(key) === over) last.delete(key)
      end()
    }
  }
}

/** Adds a part from byte `offset` on and to the hash of the whole, and answers its size; where it fails nothing of it stays. */
async function write(file: string, offset: number, part: Part, whole: Hash): Promise<number> {
  const handle = await open(file, constants.O_RDWR | constants.O_CREAT, 0o600)
  try {
    await handle.truncate(offset)
    try {
      const size = await writeFrom(handle, offset, part, whole)
      // What is acknowledged is not sent again, so it is on disk before.
      await handle.datasync()
      return size
    } catch (thrown) {
      await handle.truncate(offset)
      throw thrown
    }
  } finally {
    await handle.close()
  }
}

async function writeFrom(handle: FileHandle, offset: number, part: Part, whole: Hash): Promise<number> {
  const { content, sha256, limit } = part
  const own = createHash('sha256')
  let size = 0
  for await (const chunk of content) {
    if (size + chunk.length > limit)
      throw new Refusal('RequestEntityTooLarge', `The part is larger than ${limit} bytes.`)
    own.update(chunk)
    whole.update(chunk)
    for (let at = 0; at < chunk.length;) {
      const { bytesWritten } = await handle.write(chunk, at, chunk.length - at, offset + size + at)
      at += bytesWritten
    }
    size += chunk.length
  }
  if (own.digest('hex') !== sha256)
    throw new Refusal('InvalidInput', 'Content-Digest is not that of the part that has come; send it again.')
  return size
}

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r')
  await handle.sync()
  await handle.close()
}

/** For what is not there, whatever is said of it. Any other failure is one. */
function whereMissing<T>(said: T): (thrown: unknown) => T {
  return (thrown) => {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return said
    throw thrown
  }
}

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(whereMissing([]))

/** The files of one upload: one, unless a machine has died at an awkward moment. */
async function foundIn(folder: string, index: number): Promise<readonly { name: string; offset: number }[]> {
  return (await namesIn(folder)).flatMap((name) => {
    const [, of, offset] = /^(\d+)\.(\d+)$/.exec(name) ?? []
    return Number(of) === index ? [{ name, offset: Number(offset) }] : []
  })
}

/** How many bytes count; null where there are none, or fewer than the name says. */
async function countedIn(folder: string, index: number): Promise<number | null> {
  const found = (await foundIn(folder, index)).toSorted((a, b) => b.offset - a.offset)
  for (const { name, offset } of found) {
    const file = await stat(join(folder, name)).catch(whereMissing(null))
    if (file !== null && file.size >= offset) return offset
  }
  return null
}

async function removeEmpty(folder: string): Promise<void> {
  if ((await namesIn(folder)).length === 0) await rmdir(folder).catch(whereMissing(undefined))
}
