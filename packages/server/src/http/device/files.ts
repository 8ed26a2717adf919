/** What an action brings to its device, and what the device brings back. */
import { devicePaths } from '@countermand/contract'
import type { FastifyInstance } from 'fastify'
import { Readable } from 'node:stream'
import { openScript, takeResult } from '../../app/result-files.ts'
import type { App } from '../../app/ports.ts'
import { killPoint } from '../../kill-points.ts'
import { deviceOf } from './ticket.ts'

export async function mountDeviceFiles(server: FastifyInstance, app: App): Promise<void> {
  server.get<{ Params: { id: string; sha256: string } }>(devicePaths.file, async (request, reply) => {
    const { id, sha256 } = request.params
    const { size, content } = await openScript(app, await deviceOf(app, request), id, sha256)
    return reply.type('application/octet-stream').header('content-length', size).send(Readable.from(content))
  })

  // Bodies here go to disk as they come, so they are neither collected nor limited before.
  await server.register((streaming, _options, done) => {
    streaming.removeAllContentTypeParsers()
    streaming.addContentTypeParser('*', (_request, payload, parsed) => parsed(null, payload))
    streaming.put<{ Params: { id: string; index: string }; Body: Readable }>(
      devicePaths.result,
      async (request, reply) => {
        const { id, index } = request.params
        const machineId = await deviceOf(app, request)
        const place = { actionId: id, index: Number(index) }
        const stored = await takeResult(app, machineId, place, request.body)
        killPoint('result-stored')
        return reply.send(stored)
      },
    )
    done()
  })
}
