/** What went wrong, in words for whoever has to put it right. */
import { codeOf } from './host/files.ts'

/** What a disk says when it cannot be written, by the system's name for it. Each may pass. */
const ofDisks: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk is full for this user',
  EROFS: 'the disk is read-only',
  EIO: 'the disk fails',
}

/** What is the matter with the disk; null where that is not it. */
export const diskTrouble = (thrown: unknown): string | null => ofDisks[codeOf(thrown) ?? ''] ?? null

/** A file of ours that is there and does not say what it said. No crash leaves one, since each appears whole: a disk did. */
export class Damaged extends Error {
  /** `remove`: what goes with it, so that nothing is concluded from the rest. */
  constructor(file: string, remove = file) {
    super(
      `${file} is damaged, and nothing is guessed from the rest. Keep a copy of ${remove}, remove it, and start once with --enrol TOKEN --again, TOKEN made for this machine: it keeps its id, and what was open there ends as unknown.`,
    )
  }
}

export function plainly(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? ` (${thrown.cause.message})` : ''
  const disk = diskTrouble(thrown)
  return disk === null ? text + cause : `${disk} (${text})`
}
