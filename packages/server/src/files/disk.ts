import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Files } from '../app/ports.ts'
import { Refusal } from '../core/errors.ts'

/** Files on this machine's disk: `FOLDER/SHELF/SHA256`. A file appears whole and synced, or not at all. */
export function diskFiles(folder: string): Files {
  const placeOf = (shelf: string, sha256: string): string => {
    // Both come from our own rows and sealed links, so a name that could leave the folder is a fault.
    if (!/^[\w/-]+$/.test(shelf) || !/^[0-9a-f]{64}$/.test(sha256))
      throw new Error(`No place for ${shelf}/${sha256}.`)
    return join(folder, shelf, sha256)
  }
  return {
    put: async (shelf, content, limit) => {
      const upload = join(folder, `.upload-${randomUUID()}`)
      try {
        const written = await write(folder, upload, content, limit)
        const place = placeOf(shelf, written.sha256)
        await mkdir(dirname(place), { recursive: true, mode: 0o700 })
        await rename(upload, place)
        await sync(dirname(place))
        return written
      } catch (thrown) {
        throw whyUnkept(thrown)
      } finally {
        await rm(upload, { force: true })
      }
    },
    open: async (shelf, sha256) => {
      const place = placeOf(shelf, sha256)
      const found = await stat(place).catch(() => null)
      return found === null ? null : { size: found.size, content: createReadStream(place) }
    },
    list: async (shelf) => {
      const names = await readdir(join(folder, shelf)).catch(() => [])
      const found = names.map(async (sha256) => ({
        sha256,
        at: await stat(join(folder, shelf, sha256)).catch(() => null),
      }))
      return (await Promise.all(found)).flatMap(({ sha256, at }) =>
        at === null ? [] : [{ sha256, changedAt: at.mtime }],
      )
    },
    remove: (shelf, sha256) => rm(placeOf(shelf, sha256), { force: true }),
  }
}

async function write(
  folder: string,
  file: string,
  content: AsyncIterable<Uint8Array>,
  limit: number,
): Promise<{ sha256: string; size: number }> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const handle: FileHandle = await open(file, 'wx', 0o600)
  try {
    const hash = createHash('sha256')
    let size = 0
    for await (const chunk of content) {
      size += chunk.length
      if (size > limit) throw new Refusal('RequestEntityTooLarge', `The file is larger than ${limit} bytes.`)
      hash.update(chunk)
      await handle.writeFile(chunk)
    }
    await handle.sync()
    return { sha256: hash.digest('hex'), size }
  } finally {
    await handle.close()
  }
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  await handle.sync()
  await handle.close()
}

/** A disk that takes nothing is no fault of ours, and passes: an expected no, with what to do. */
function whyUnkept(thrown: unknown): unknown {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
  if (!['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'].includes(code)) return thrown
  return new Refusal(
    'ServiceUnavailable',
    `The file cannot be kept: the server's disk is full or cannot be written (${code}). Nothing was stored; try again.`,
  )
}
