import type { Kysely, Selectable } from 'kysely'
import type { LibraryEntry, LibraryRows } from '../app/rows.ts'
import { hasNul } from './nul.ts'
import type { LibraryRow, Tables } from './schema.ts'

export function openLibrary(db: Kysely<Tables>): LibraryRows {
  const rows = () => db.selectFrom('library_files').selectAll()
  return {
    find: async (fileName) => {
      if (hasNul(fileName)) return null
      const row = await rows().where('file_name', '=', fileName).executeTakeFirst()
      return row === undefined ? null : toEntry(row)
    },
    list: async () => (await rows().orderBy('n', 'desc').execute()).map(toEntry),
    put: async (entry) => {
      const row = toRow(entry)
      await db
        .insertInto('library_files')
        .values(row)
        .onConflict((conflict) => conflict.column('file_name').doUpdateSet(row))
        .execute()
    },
    remove: async (fileName) => {
      if (hasNul(fileName)) return false
      const removed = await db
        .deleteFrom('library_files')
        .where('file_name', '=', fileName)
        .executeTakeFirst()
      return removed.numDeletedRows > 0n
    },
  }
}

const toRow = (entry: LibraryEntry): Omit<LibraryRow, 'n'> => ({
  file_name: entry.fileName,
  sha256: entry.sha256,
  size: entry.size,
  description: entry.description,
  has_parameters: entry.hasParameters ? 1 : 0,
  parameters_description: entry.parametersDescription,
  created_by: entry.createdBy,
  created_at: entry.createdAt.getTime(),
  updated_at: entry.updatedAt.getTime(),
})

const toEntry = (row: Selectable<LibraryRow>): LibraryEntry => ({
  fileName: row.file_name,
  sha256: row.sha256,
  size: row.size,
  description: row.description,
  hasParameters: row.has_parameters === 1,
  parametersDescription: row.parameters_description,
  createdBy: row.created_by,
  createdAt: new Date(row.created_at),
  updatedAt: new Date(row.updated_at),
})
