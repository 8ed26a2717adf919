import type { libraryFiles } from '@countermand/contract'
import type { FastifyRequest } from 'fastify'
import {
  deleteLibraryFile,
  listLibraryFiles,
  uploadLibraryFile,
  type Upload,
} from '../app/files/library-files.ts'
import { Refusal } from '../core/errors.ts'
import { killPoint } from '../kill-points.ts'
import { bytesOf, type Handlers } from './operation.ts'
import { refuseUnknownOptions } from './page.ts'
import { contextOf, toLibraryFile } from './wire.ts'

export const libraryFileHandlers: Handlers<typeof libraryFiles> = {
  listLibraryFiles: async ({ app, query, base }) => {
    refuseUnknownOptions(query, [])
    return {
      '@odata.context': contextOf(base, 'LibraryFiles'),
      value: (await listLibraryFiles(app)).map(toLibraryFile),
    }
  },

  uploadLibraryFile: async ({ app, caller, base, request }) => {
    const upload = await readForm(request)
    const entry = await uploadLibraryFile(app, { ...upload, by: caller.name })
    killPoint('upload-stored')
    return { '@odata.context': contextOf(base, 'LibraryFiles/$entity'), ...toLibraryFile(entry) }
  },

  deleteLibraryFile: async ({ app, caller, target }) => {
    await deleteLibraryFile(app, target.fileName, caller.name)
    return null
  },
}

/**
 * The form of the reference: `file` or `File`, and a few words about it (`wire.md` 1.4).
 * @throws Refusal InvalidRequestBody for what is no form; MissingRequiredParameter without a file.
 */
async function readForm(request: FastifyRequest): Promise<Omit<Upload, 'by'>> {
  const form = await parse(request)
  const word = (name: string): string | null => {
    const value = form.get(name)
    return typeof value === 'string' && value !== '' ? value : null
  }
  const yes = (name: string): boolean => word(name)?.toLowerCase() === 'true'
  const file = form.get('file') ?? form.get('File')
  if (!(file instanceof File))
    throw new Refusal('MissingRequiredParameter', 'The required form field file is missing.')
  const parametersDescription = word('ParametersDescription')
  return {
    fileName: file.name,
    content: file.stream(),
    description: word('Description'),
    parametersDescription,
    hasParameters: yes('HasParameters') || parametersDescription !== null,
    override: yes('OverrideIfExists'),
  }
}

async function parse(request: FastifyRequest): Promise<FormData> {
  const type = request.headers['content-type'] ?? ''
  try {
    return await new Response(new Uint8Array(bytesOf(request)), {
      headers: { 'content-type': type },
    }).formData()
  } catch {
    throw new Refusal(
      'InvalidRequestBody',
      'The request body is incorrect: it must be a multipart form with a field "file".',
    )
  }
}
