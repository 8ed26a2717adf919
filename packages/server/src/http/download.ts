import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { App } from '../app/ports.ts'
import { openDownload } from '../app/result-files.ts'

/** Results behind short-lived links; like the reference's, they are followed without a token. */
export function mountDownloads(server: FastifyInstance, app: App): void {
  server.get<{ Params: { link: string } }>('/download/:link', async (request, reply) => {
    const { link } = request.params
    const { fileName, size, content } = await openDownload(app, link)
    return reply
      .header('content-type', fileName.endsWith('.json') ? 'application/json' : 'application/octet-stream')
      .header('content-length', size)
      .header('content-disposition', `attachment; filename=${fileName.replaceAll(/[^\w.-]/g, '_')}`)
      .header('cache-control', 'no-store')
      .send(Readable.from(content))
  })
}
