import { Type } from 'typebox'
import { LibraryFile, libraryFileLimit } from '../library-file.ts'
import { ListOf } from '../machine-action.ts'
import type { Operation } from '../operation.ts'

const manage = { app: ['Library.Manage'], delegated: ['Library.Manage'] } as const

/** The live response library (`wire.md` 1.4). */
export const libraryFiles = {
  listLibraryFiles: {
    summary: 'Lists the files of the live response library.',
    method: 'GET',
    path: '/api/libraryfiles',
    permission: manage,
    limit: 'library',
    target: 'none',
    status: 200,
    reply: ListOf(LibraryFile),
  },
  uploadLibraryFile: {
    summary: 'Puts a file into the live response library.',
    method: 'POST',
    path: '/api/libraryfiles',
    permission: manage,
    limit: 'library',
    target: 'none',
    form: true,
    // The file itself may have 20 MB; the form around it needs a little more.
    bodyLimit: libraryFileLimit + 64 * 1024,
    status: 200,
    reply: LibraryFile,
  },
  deleteLibraryFile: {
    summary: 'Deletes a file of the live response library.',
    method: 'DELETE',
    path: '/api/libraryfiles/:fileName',
    permission: manage,
    limit: 'library',
    target: 'libraryFile',
    status: 204,
    reply: Type.Null(),
  },
} as const satisfies Record<string, Operation>
