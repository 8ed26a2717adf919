/** What the files of this folder have in common: where they lie, and what a full disk is called. */
import { join } from 'node:path'
import { Refusal } from '../core/errors.ts'

/** `FOLDER/SHELF/SHA256` */
export function placeOf(folder: string, shelf: string, sha256: string): string {
  // Both come from our own rows and sealed links, so a name that could leave the folder is a fault.
  if (!/^[\w/-]+$/.test(shelf) || !/^[0-9a-f]{64}$/.test(sha256))
    throw new Error(`No place for ${shelf}/${sha256}.`)
  return join(folder, shelf, sha256)
}

/** A disk that takes nothing is no fault of ours, and passes: an expected no, with what to do. */
export function whyUnkept(thrown: unknown): unknown {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
  if (!['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'].includes(code)) return thrown
  return new Refusal(
    'ServiceUnavailable',
    `The file cannot be kept: the server's disk is full or cannot be written (${code}). Nothing was stored; try again.`,
  )
}
