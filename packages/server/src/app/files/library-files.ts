import { libraryFileLimit, libraryFileName } from '@countermand/contract'
import { serverChain } from '../../core/chain.ts'
import { Refusal } from '../../core/errors.ts'
import type { App } from '../ports.ts'
import type { LibraryEntry, Work } from '../rows.ts'

export const libraryShelf = 'library'

export interface Upload {
  readonly fileName: string
  readonly content: AsyncIterable<Uint8Array>
  readonly description: string | null
  readonly parametersDescription: string | null
  readonly hasParameters: boolean
  readonly override: boolean
  readonly by: string
}

/** @throws Refusal InvalidInput for a bad name, or one that is taken; RequestEntityTooLarge beyond 20 MB. */
export async function uploadLibraryFile(app: App, upload: Upload): Promise<LibraryEntry> {
  const { fileName, description, parametersDescription, hasParameters, by } = upload
  if (!libraryFileName.test(fileName)) {
    throw new Refusal(
      'InvalidInput',
      'A library file name has letters, digits, "-", "_" and "." and at most 255 of them.',
    )
  }
  const { sha256, size } = await app.files.put(libraryShelf, upload.content, libraryFileLimit)
  const kept = { fileName, sha256, size, description, parametersDescription, hasParameters }
  return app.store.write('keepLibraryFile', { ...kept, by, override: upload.override })
}

type Kept = Omit<LibraryEntry, 'createdBy' | 'createdAt' | 'updatedAt'> & {
  readonly by: string
  readonly override: boolean
}

export const keepLibraryFile: Work<Kept, LibraryEntry> = async ({ library, events }, kept, { at }) => {
  const { by, override, ...file } = kept
  const { fileName, sha256, size } = file
  const before = await library.find(fileName)
  if (before !== null && !override) {
    throw new Refusal(
      'InvalidInput',
      `A file named ${fileName} already exists in the library; send OverrideIfExists=true to replace it.`,
    )
  }
  const entry: LibraryEntry = {
    ...file,
    createdBy: before?.createdBy ?? by,
    createdAt: before?.createdAt ?? at,
    updatedAt: at,
  }
  await library.put(entry)
  const data = { fileName, sha256, size, replaced: before?.sha256 ?? null }
  await events.append(serverChain, { kind: 'library.uploaded', actor: by, alarm: false, data }, at)
  return entry
}

export const listLibraryFiles = (app: App): Promise<readonly LibraryEntry[]> =>
  app.store.read('libraryFiles', null)

const unknownFile = (fileName: string): Refusal =>
  new Refusal('ResourceNotFound', `The library file ${fileName} was not found`)

/** @throws Refusal ResourceNotFound */
export async function findLibraryFile(app: App, fileName: string): Promise<LibraryEntry> {
  const entry = await app.store.read('libraryFile', fileName)
  if (entry === null) throw unknownFile(fileName)
  return entry
}

/** Actions under way keep their copy; the bytes go when nothing open refers to them (`sweep-files.ts`). */
export const deleteLibraryFile = (app: App, fileName: string, by: string): Promise<void> =>
  app.store.write('removeLibraryFile', { fileName, by })

export const removeLibraryFile: Work<{ fileName: string; by: string }, void> = async (
  rooms,
  { fileName, by },
  { at },
) => {
  if (!(await rooms.library.remove(fileName))) throw unknownFile(fileName)
  await rooms.events.append(
    serverChain,
    { kind: 'library.deleted', actor: by, alarm: false, data: { fileName } },
    at,
  )
}
