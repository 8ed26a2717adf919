// SHA-1 of what a descriptor shows, with bounded memory.
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { codeOf } from '../files.ts'
import type { Name } from './types.ts'

const chunkBytes = 1024 * 1024

/** Of the whole file, whatever was read from it before. */
export async function sha1Of(file: FileHandle, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha1')
  const buffer = Buffer.alloc(chunkBytes)
  for (let position = 0; ;) {
    signal?.throwIfAborted()
    const { bytesRead } = await file.read(buffer, 0, chunkBytes, position)
    if (bytesRead === 0) return hash.digest('hex')
    hash.update(buffer.subarray(0, bytesRead))
    position += bytesRead
  }
}

/** Never waits for the other end of a pipe, and follows no link at the end of the path. */
export const quietly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Opens a file to be read without a trace in its access time, where that is permitted. */
export async function openQuietly(path: Name, flags = quietly): Promise<FileHandle> {
  try {
    return await open(Buffer.from(path), flags | constants.O_NOATIME)
  } catch (thrown) {
    // Only its owner and root may ask for that.
    if (codeOf(thrown) !== 'EPERM') throw thrown
    return open(Buffer.from(path), flags)
  }
}
