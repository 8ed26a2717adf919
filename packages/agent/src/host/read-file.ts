/** A file of this host as it is brought away: read once, compressed on the way, with bounded memory. */
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { codeOf } from './files.ts'

export interface Compressed {
  /** As it was when it was opened; what is written behind that meanwhile is left out. 0 for those that the kernel makes up. */
  readonly size: number
  /** gzip, and how much of the file has been read for it so far. */
  readonly content: AsyncIterable<{ readonly chunk: Uint8Array; readonly read: number }>
}

const atOnce = 64 * 1024

/** Throws in plain words for what is no plain file, cannot be read, or is longer than `limit` bytes. */
export async function readCompressed(path: string, limit: number, signal: AbortSignal): Promise<Compressed> {
  // Without waiting: a pipe that nobody writes to, or a terminal, would keep us.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY).catch(
    (thrown: unknown) => {
      throw new Error(whyNot(path, thrown), { cause: thrown })
    },
  )
  try {
    const found = await file.stat()
    if (!found.isFile()) throw new Error(`${path} is ${kindOf(found)}, not a file.`)
    if (found.size > limit) throw new Error(tooLarge(path, limit))
    return { size: found.size, content: compress({ file, path, limit, size: found.size, signal }) }
  } catch (thrown) {
    await file.close()
    throw thrown
  }
}

interface Source {
  readonly file: FileHandle
  readonly path: string
  readonly limit: number
  readonly size: number
  readonly signal: AbortSignal
}

async function* compress(source: Source): Compressed['content'] {
  let read = 0
  const plain = Readable.from(chunksOf(source, (length) => (read += length)))
  const packed = createGzip()
  plain.on('error', (thrown) => packed.destroy(thrown)).pipe(packed)
  try {
    for await (const chunk of packed) yield { chunk, read }
  } finally {
    plain.destroy()
    packed.destroy()
    await source.file.close()
  }
}

async function* chunksOf(
  { file, path, limit, size, signal }: Source,
  count: (length: number) => void,
): AsyncIterable<Uint8Array> {
  // A file in /proc says that it has nothing in it.
  const most = size > 0 ? size : limit + 1
  for (let at = 0; at < most;) {
    signal.throwIfAborted()
    const wanted = Math.min(atOnce, most - at)
    const { bytesRead, buffer } = await file
      .read(Buffer.allocUnsafe(wanted), 0, wanted, null)
      .catch((thrown: unknown) => {
        throw new Error(whyNot(path, thrown), { cause: thrown })
      })
    if (bytesRead === 0) return
    at += bytesRead
    if (at > limit) throw new Error(tooLarge(path, limit))
    count(bytesRead)
    yield buffer.subarray(0, bytesRead)
  }
}

const tooLarge = (path: string, limit: number): string =>
  `${path} is larger than the ${limit} bytes that GetFile brings.`

function kindOf(found: Awaited<ReturnType<FileHandle['stat']>>): string {
  if (found.isDirectory()) return 'a folder'
  if (found.isFIFO()) return 'a pipe'
  if (found.isSocket()) return 'a socket'
  return found.isCharacterDevice() || found.isBlockDevice() ? 'a device' : 'something else'
}

const words: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file on this host',
  ENOTDIR: 'there is no such file on this host',
  EACCES: 'it may not be read',
  EPERM: 'it may not be read',
  ELOOP: 'its links lead in a circle',
  ENXIO: 'it is a socket or a device that nobody serves',
  ENAMETOOLONG: 'its name is too long for this host',
}

const whyNot = (path: string, thrown: unknown): string =>
  `${path} cannot be read: ${words[codeOf(thrown) ?? ''] ?? (thrown instanceof Error ? thrown.message : String(thrown))}`
