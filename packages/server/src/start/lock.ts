import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ConfigError } from '../config.ts'

/**
 * One server per data folder. An empty SQLite file, locked exclusively, is a lock that the system lets go of when the process
 * ends, however it ends, without native code of ours. @throws ConfigError when another server holds it.
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const lock = new DatabaseSync(join(folder, 'lock'))
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE')
    lock.exec('BEGIN EXCLUSIVE')
  } catch {
    throw new ConfigError(
      `Another countermand server uses ${folder}. Stop it, or give this one another folder with --data.`,
    )
  }
  return () => lock.close()
}
