/** A folder as a zip, made while it is read: whatever its size, a few pieces of it are in memory. */
import { constants } from 'node:fs'
import { open, readdir, type FileHandle } from 'node:fs/promises'
import { addAbortSignal, PassThrough } from 'node:stream'
import { finished } from 'node:stream/promises'
import { ZipFile } from 'yazl'
import { codeOf } from './files.ts'

/** Files of a zip that are nowhere on disk, by their names. */
export type ZipTexts = Readonly<Record<string, string>>

/**
 * First the texts, then the folder's regular files and those of the folders below. No link is followed, and nothing but a
 * regular file is opened. What vanishes meanwhile is left out; of what grows or shrinks meanwhile there is what could be read,
 * up to the size that it had. A file with a text's name is left out. Who stops reading stops it all.
 */
export async function* zipOf(folder: string, texts: ZipTexts = {}): AsyncGenerator<Uint8Array> {
  const zip = new ZipFile()
  const output = new PassThrough()
  const stop = new AbortController()
  zip.on('error', (error: Error) => output.destroy(error))
  zip.outputStream.pipe(output)
  const adding = addAll({ zip, texts, stop: stop.signal }, Buffer.from(folder)).catch((thrown: unknown) => {
    output.destroy(thrown instanceof Error ? thrown : new Error(String(thrown)))
  })
  try {
    yield* output
  } finally {
    stop.abort()
    await adding
  }
}

interface Zipping {
  readonly zip: ZipFile
  readonly texts: ZipTexts
  readonly stop: AbortSignal
}

async function addAll(zipping: Zipping, folder: Buffer): Promise<void> {
  const { zip, texts } = zipping
  for (const [name, text] of Object.entries(texts)) zip.addBuffer(Buffer.from(text), name)
  for await (const path of filesBelow(folder)) await addFile(zipping, folder, path)
  zip.end()
}

const slash = Buffer.from('/')

/** Paths inside the folder, in the order of their bytes: a name need not be UTF-8 to be opened. */
async function* filesBelow(folder: Buffer, inside: Buffer = Buffer.alloc(0)): AsyncGenerator<Buffer> {
  const entries = await readdir(Buffer.concat([folder, slash, inside]), {
    withFileTypes: true,
    encoding: 'buffer',
  }).catch((thrown: unknown) => {
    if (inside.length > 0 && isGone(thrown)) return []
    throw thrown
  })
  for (const entry of entries.toSorted((a, b) => Buffer.compare(a.name, b.name))) {
    const path = Buffer.concat([inside, entry.name])
    if (entry.isDirectory()) yield* filesBelow(folder, Buffer.concat([path, slash]))
    else if (entry.isFile()) yield path
  }
}

/** One after the other, each open for as long as it is read. */
async function addFile({ zip, texts, stop }: Zipping, folder: Buffer, path: Buffer): Promise<void> {
  // In a zip a backslash would be taken for a folder.
  const name = path.toString().replaceAll('\\', '_')
  if (stop.aborted || name in texts) return
  const file = await openRegular(Buffer.concat([folder, slash, path]))
  if (file === null) return
  try {
    const { size, mtime, mode } = await file.stat()
    if (size === 0) return zip.addBuffer(Buffer.alloc(0), name, { mtime, mode })
    const content = addAbortSignal(stop, file.createReadStream({ end: size - 1, autoClose: false }))
    const read = finished(content)
    zip.addReadStream(content, name, { mtime, mode })
    await read
  } finally {
    await file.close()
  }
}

/** Null for what is no regular file any more. Without waiting: it may have become a FIFO. */
async function openRegular(path: Buffer): Promise<FileHandle | null> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const file = await open(path, flags).catch((thrown: unknown) => {
    if (isGone(thrown)) return null
    throw thrown
  })
  if (file === null || (await file.stat()).isFile()) return file
  await file.close()
  return null
}

const isGone = (thrown: unknown): boolean =>
  ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(codeOf(thrown) ?? '')
