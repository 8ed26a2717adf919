import { extname } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { App } from '../app/ports.ts'
import { openDownload } from '../app/files/result-files.ts'
import { sendFile } from './send-file.ts'

/** Results behind short-lived links; like the reference's, they are followed without a token. */
export function mountDownloads(server: FastifyInstance, app: App): void {
  server.get<{ Params: { link: string } }>('/download/:link', async (request, reply) => {
    const file = await openDownload(app, request.params.link)
    void reply
      .header('content-type', contentTypes.get(extname(file.fileName)) ?? 'application/octet-stream')
      .header('content-disposition', dispositionOf(file.fileName))
      .header('cache-control', 'no-store')
    return sendFile(request, reply, file)
  })
}

const contentTypes: ReadonlyMap<string, string> = new Map([
  ['.json', 'application/json'],
  ['.gz', 'application/gzip'],
  ['.zip', 'application/zip'],
])

/** With the name in full beside the plain one where they differ (RFC 6266); a device has chosen it, so it may be anything. */
function dispositionOf(fileName: string): string {
  const plain = fileName.replaceAll(/[^\w.-]/g, '_')
  if (plain === fileName) return `attachment; filename=${plain}`
  const full = encodeURIComponent(fileName.toWellFormed()).replaceAll(
    /['()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename=${plain}; filename*=UTF-8''${full}`
}
