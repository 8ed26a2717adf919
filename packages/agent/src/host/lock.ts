// One agent per data folder: two would each hold a journal's half, and both could start what one was told to cancel.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Another process, or this one, holds the folder. */
export class FolderInUse extends Error {
  override readonly name = 'FolderInUse'

  constructor(folder: string) {
    super(
      `Another agent is using ${folder}. Stop it first (whoever has ${join(folder, 'lock')} open), or give this one a folder of its own with --data.`,
    )
  }
}

/**
 * Takes an existing folder for this process, until `release` or its end, however it ends: the kernel lets go. Throws
 * `FolderInUse` at once if somebody has it.
 *
 * Why a database: Node has no file lock. SQLite takes a POSIX record lock (fcntl) on `lock` for us, which costs no native
 * code. Such a lock is lost when its process opens and closes that file by other means, so nobody else may touch it.
 */
export function lockFolder(folder: string): { release(): void } {
  const database = new DatabaseSync(join(folder, 'lock'))
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (isBusy(error)) throw new FolderInUse(folder)
    throw error
  }
  return { release: () => database.close() }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 5
}
