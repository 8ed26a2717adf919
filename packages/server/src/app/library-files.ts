import { libraryFileLimit, libraryFileName } from '@countermand/contract'
import { serverChain } from '../core/chain.ts'
import { Refusal } from '../core/errors.ts'
import type { App, LibraryEntry } from './ports.ts'

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
  return app.store.write(async ({ library, events }) => {
    const before = await library.find(fileName)
    if (before !== null && !upload.override) {
      throw new Refusal(
        'InvalidInput',
        `A file named ${fileName} already exists in the library; send OverrideIfExists=true to replace it.`,
      )
    }
    const now = app.now()
    const entry: LibraryEntry = {
      fileName,
      sha256,
      size,
      description,
      parametersDescription,
      hasParameters,
      createdBy: before?.createdBy ?? by,
      createdAt: before?.createdAt ?? now,
      updatedAt: now,
    }
    await library.put(entry)
    const data = { fileName, sha256, size, replaced: before?.sha256 ?? null }
    await events.append(serverChain, { kind: 'library.uploaded', actor: by, alarm: false, data }, now)
    return entry
  })
}

export const listLibraryFiles = (app: App): Promise<readonly LibraryEntry[]> =>
  app.store.read(({ library }) => library.list())

const unknownFile = (fileName: string): Refusal =>
  new Refusal('ResourceNotFound', `The library file ${fileName} was not found`)

/** @throws Refusal ResourceNotFound */
export async function findLibraryFile(app: App, fileName: string): Promise<LibraryEntry> {
  const entry = await app.store.read(({ library }) => library.find(fileName))
  if (entry === null) throw unknownFile(fileName)
  return entry
}

/** Actions under way keep their copy; the bytes go when nothing open refers to them (`sweep-files.ts`). */
export function deleteLibraryFile(app: App, fileName: string, by: string): Promise<void> {
  return app.store.write(async ({ library, events }) => {
    if (!(await library.remove(fileName))) throw unknownFile(fileName)
    await events.append(
      serverChain,
      { kind: 'library.deleted', actor: by, alarm: false, data: { fileName } },
      app.now(),
    )
  })
}
