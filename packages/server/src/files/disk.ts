import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Files } from '../app/ports.ts'
import { Refusal } from '../core/errors.ts'
import { syncNames } from '../durable.ts'
import { placeOf, whyUnkept } from './folder.ts'

/** Files on this machine's disk: `FOLDER/SHELF/SHA256`. A file appears whole and synced, or not at all. */
export function diskFiles(folder: string): Files {
  return {
    put: async (shelf, content, limit) => {
      const upload = join(folder, `.upload-${randomUUID()}`)
      try {
        const written = await write(folder, upload, content, limit)
        const place = placeOf(folder, shelf, written.sha256)
        await mkdir(dirname(place), { recursive: true, mode: 0o700 })
        await rename(upload, place)
        await syncNames(place, dirname(folder))
        return written
      } catch (thrown) {
        throw whyUnkept(thrown)
      } finally {
        await rm(upload, { force: true })
      }
    },
    open: async (shelf, sha256) => {
      const place = placeOf(folder, shelf, sha256)
      const found = await stat(place).catch(() => null)
      return found && { size: found.size, read: (range) => createReadStream(place, range) }
    },
    list: async (shelf) => {
      const names = await readdir(join(folder, shelf)).catch(() => [])
      const found = names.map(async (name) => ({
        name,
        at: await stat(join(folder, shelf, name)).catch(() => null),
      }))
      return (await Promise.all(found)).flatMap(({ name, at }) =>
        at === null ? [] : [{ name, size: at.size, changedAt: at.mtime }],
      )
    },
    remove: (shelf, sha256) => rm(placeOf(folder, shelf, sha256), { force: true }),
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
