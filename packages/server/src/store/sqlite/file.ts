/** The SQLite file, and the log before it, from which what is committed is carried over into the file. */
import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { isPassing } from '../result.ts'

/** The checkpointing thread begins here. */
const logToCarryOver = 4 * 1024 * 1024
/**
 * When the checkpointing thread does not keep up, the writer waits for a whole one, and the log begins anew. The longer it was, the
 * longer that takes, and the oftener a page was changed that is synced once (docs/decisions/0057).
 */
const longestLog = 256 * 1024 * 1024
/** Not oftener: a page is carried over once for all that was written to it meanwhile, and commits wait for the same disk. */
const checkpointEveryMs = 400
const truncateEveryMs = 1_000
/** For another connection that is just writing. */
const patienceMs = 5_000

/** Opens, or makes, the file. Every commit is on disk before it returns (`synchronous=FULL` under WAL). */
export function openFile(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: patienceMs })
  // Of a new file. A commit costs what its pages weigh, and most of what changes is small and lies apart.
  database.exec('PRAGMA page_size = 2048')
  database.exec('PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = FULL')
  return database
}

/** From now on, for as long as this thread lives. */
export function keepCarryingOver(database: DatabaseSync, file: string): void {
  setInterval(() => {
    if (logSize(file) > logToCarryOver) carryOver(database, 'PASSIVE')
  }, checkpointEveryMs)
}

/** For the one that writes to call before each batch. `longest`: bytes of log. */
export function boundLog(database: DatabaseSync, file: string, longest = longestLog): () => void {
  let notBefore = 0
  return () => {
    if (performance.now() < notBefore || logSize(file) <= longest) return
    notBefore = performance.now() + truncateEveryMs
    // A reader that takes long, somebody who verifies for example, is not waited for: callers are waiting too.
    database.exec('PRAGMA busy_timeout = 0')
    carryOver(database, 'TRUNCATE')
    database.exec(`PRAGMA busy_timeout = ${patienceMs}`)
  }
}

/** On a disk that is full or cannot be written it stays in the log, which is whole, and is tried again. */
function carryOver(database: DatabaseSync, how: 'PASSIVE' | 'TRUNCATE'): void {
  try {
    database.prepare(`PRAGMA wal_checkpoint(${how})`).get()
  } catch (thrown) {
    if (!isPassing(thrown)) throw thrown
  }
}

const logSize = (file: string): number => statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0
