import { Type, type Static } from 'typebox'
import { minutes, type ActionTypeRow } from './action-type.ts'

/**
 * StopAndQuarantineFile: kills what runs from a file, by its SHA-1, and takes the file away. Its cancel puts the file back; what was
 * killed stays dead, and is told.
 */
export const stopAndQuarantineFile = {
  permission: 'Machine.StopAndQuarantine',
  reversible: true,
  runLimitMs: minutes(60),
  inverse: 'On the host, countermand-agent quarantine restore',
} as const satisfies ActionTypeRow

/** Of the run limit, how much the search of the file systems may take. */
export const searchShare = 0.75

export const QuarantineParameters = Type.Object({
  sha1: Type.String({ pattern: '^[0-9a-f]{40}$' }),
  /** Whether a file that belongs to an installed package may be taken away as well. */
  packaged: Type.Boolean(),
})
export type QuarantineParameters = Static<typeof QuarantineParameters>

/** Of each list in `Quarantined`; what is beyond is counted in words. */
export const maxQuarantined = 200
const Path = Type.String({ maxLength: 4096 })

/** What became of a file: where it lies now, by which names it was known, and what was killed because it ran from it. */
export const Quarantined = Type.Object({
  files: Type.Array(
    Type.Object({
      /** What `countermand-agent quarantine restore` takes. */
      id: Type.String({ maxLength: 64 }),
      /** Where it was, hard links included; what is no text in a name is shown as U+FFFD. */
      paths: Type.Array(Path, { maxItems: maxQuarantined }),
      size: Type.Integer({ minimum: 0 }),
    }),
    { maxItems: maxQuarantined },
  ),
  killed: Type.Array(Type.Object({ pid: Type.Integer(), command: Path, path: Path }), {
    maxItems: maxQuarantined,
  }),
})
export type Quarantined = Static<typeof Quarantined>
