import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeFolder } from '../durable.ts'

/** Why this server cannot start, in a sentence that says what to do. */
export class StartError extends Error {}

const sqliteBusy = 5

/**
 * One server per data folder. An empty SQLite file, locked exclusively, is a lock that the system lets go of when the process
 * ends, however it ends, without native code of ours. @throws StartError when another server holds
 * it, or when it cannot be written.
 */
export function lockFolder(folder: string): () => void {
  makeWritable(folder)
  const lock = new DatabaseSync(join(folder, 'lock'))
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE')
    lock.exec('BEGIN EXCLUSIVE')
  } catch (thrown) {
    lock.close()
    if (!(thrown instanceof Error && 'errcode' in thrown && thrown.errcode === sqliteBusy)) throw thrown
    throw new StartError(
      `Another countermand server uses ${folder}. Stop it, or give this one another folder with --data.`,
    )
  }
  return () => lock.close()
}

function makeWritable(folder: string): void {
  try {
    makeFolder(folder)
    accessSync(folder, constants.W_OK)
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    throw new StartError(
      `The data folder ${folder} cannot be written (${why}). Make it writable, or name another one with --data.`,
    )
  }
}
