import { Type, type Static } from 'typebox'
import { OrNull, Timestamp } from './machine-action.ts'

/** A file of the live response library (`wire.md` 12.4). No id, no size. */
export const LibraryFile = Type.Object({
  '@odata.context': Type.Optional(Type.String()),
  fileName: Type.String(),
  sha256: Type.String(),
  description: OrNull(Type.String()),
  creationTime: Timestamp,
  lastUpdatedTime: Timestamp,
  createdBy: Type.String(),
  hasParameters: Type.Boolean(),
  parametersDescription: OrNull(Type.String()),
})
export type LibraryFile = Static<typeof LibraryFile>

/** Letters, digits, `-`, `_`, `.` (`wire.md` 3.4, D34); not only dots, which would name a folder. */
export const libraryFileName = /^(?!\.+$)[A-Za-z0-9._-]{1,255}$/
/** `wire.md` 1.4, D19. */
export const libraryFileLimit = 20 * 1024 * 1024
