/** Counts the commits in SQLite's write-ahead log (sqlite.org/fileformat2.html, 4.1): one frame of each says so. */
import { readFileSync } from 'node:fs'

const logHeader = 32
const frameHeader = 24

/** Those since the log last began anew. */
export function commitsIn(databaseFile: string): number {
  const log = readFileSync(`${databaseFile}-wal`)
  const frame = frameHeader + log.readUInt32BE(8)
  const salts = log.subarray(16, 24)
  let commits = 0
  for (let at = logHeader; at + frame <= log.length; at += frame) {
    // Frames from before are still there, with other salts.
    if (!log.subarray(at + 8, at + 16).equals(salts)) break
    if (log.readUInt32BE(at + 4) !== 0) commits += 1
  }
  return commits
}
