// A thread that hashes: one file at a time, at a low priority, so that a search does not slow down the host.
import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import type { Batch, Looked, WorkerData } from './pool.ts'

const niceness = 10
const chunk = Buffer.alloc(1024 * 1024)
const quietly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const { sha1, size, stop }: WorkerData = workerData

try {
  // Of this thread alone.
  setPriority(niceness)
} catch {
  // Not allowed: then it competes with the rest.
}

parentPort?.on('message', ({ paths }: Batch) => {
  const found = paths.flatMap((path) => {
    const one = Atomics.load(stop, 0) === 1 ? null : lookAt(path)
    return one === null ? [] : [one]
  })
  parentPort?.postMessage({ found, count: paths.length } satisfies Looked)
})

function lookAt(path: Uint8Array): Looked['found'][number] | null {
  let fd: number
  try {
    fd = open(path)
  } catch {
    // Gone, or not to be read: the search goes on.
    return null
  }
  try {
    const stats = fstatSync(fd, { bigint: true })
    if (!stats.isFile() || (size !== null && stats.size !== BigInt(size))) return null
    if (hashOf(fd) !== sha1) return null
    return { path, inode: `${stats.dev}:${stats.ino}`, size: Number(stats.size) }
  } catch {
    return null
  } finally {
    closeSync(fd)
  }
}

function open(path: Uint8Array): number {
  try {
    return openSync(Buffer.from(path), quietly | constants.O_NOATIME)
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EPERM')
      return openSync(Buffer.from(path), quietly)
    throw thrown
  }
}

/** Null where it is told to stop. */
function hashOf(fd: number): string | null {
  const hash = createHash('sha1')
  for (;;) {
    if (Atomics.load(stop, 0) === 1) return null
    const length = readSync(fd, chunk, 0, chunk.length, null)
    if (length === 0) return hash.digest('hex')
    hash.update(chunk.subarray(0, length))
  }
}
