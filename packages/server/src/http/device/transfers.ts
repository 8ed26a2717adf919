/** What an action brings to its device, and what the device brings back: links for a ticket, and the transfers themselves. */
import { LinkRequest, devicePaths, fits } from '@countermand/contract'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { App } from '../../app/ports.ts'
import {
  linkTransfer,
  lookAtUpload,
  openTransfer,
  takePart,
  type Standing,
} from '../../app/files/transfer-files.ts'
import { Refusal } from '../../core/errors.ts'
import { killPoint } from '../../kill-points.ts'
import { readBody } from '../body.ts'
import { bytesOf } from '../operation.ts'
import { sendFile } from '../send-file.ts'
import { partIn } from './part.ts'
import { deviceOf } from './ticket.ts'

const requestLimit = 4096

export async function mountTransfers(server: FastifyInstance, app: App): Promise<void> {
  server.post<{ Params: { id: string } }>(
    devicePaths.link,
    { bodyLimit: requestLimit },
    async (request, reply) => {
      const machineId = await deviceOf(app, request)
      const wanted = readBody(LinkRequest, bytesOf(request))
      if (!fits(LinkRequest, wanted)) throw new Error('The body has been read.')
      return reply.send(await linkTransfer(app, machineId, request.params.id, wanted))
    },
  )

  server.get<Linked>(devicePaths.transfer, async (request, reply) => {
    const file = await openTransfer(app, request.params.link)
    void reply.type('application/octet-stream').header('cache-control', 'no-store')
    return sendFile(request, reply, file)
  })

  server.head<Linked>(devicePaths.transfer, async (request, reply) =>
    show(reply, await lookAtUpload(app, request.params.link))
      .code(204)
      .send(),
  )

  // Bodies here go to disk as they come, so they are neither collected nor limited before.
  await server.register((streaming, _options, done) => {
    streaming.removeAllContentTypeParsers()
    streaming.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null))
    streaming.patch<Linked>(devicePaths.transfer, (request, reply) => patch(app, request, reply))
    done()
  })
}

interface Linked {
  readonly Params: { readonly link: string }
}

async function patch(app: App, request: FastifyRequest<Linked>, reply: FastifyReply): Promise<FastifyReply> {
  const part = partIn(request)
  const { isTaken, ...standing } = await takePart(app, request.params.link, part)
  show(reply, standing)
  if (!isTaken) {
    const { offset, stored } = standing
    const where = stored === null ? `is at ${offset}` : 'is complete'
    throw new Refusal('Conflict', `The upload ${where}, not at ${part.offset}; nothing was taken.`)
  }
  if (standing.stored === null) return reply.code(204).send()
  killPoint('result-stored')
  return reply.send(standing.stored)
}

/** The headers of the IETF's resumable uploads, and the hash of what is complete (RFC 9530). */
function show(reply: FastifyReply, { offset, stored }: Standing): FastifyReply {
  void reply
    .header('cache-control', 'no-store')
    .header('upload-offset', offset)
    .header('upload-complete', stored === null ? '?0' : '?1')
  if (stored !== null)
    void reply.header('repr-digest', `sha-256=:${Buffer.from(stored.sha256, 'hex').toString('base64')}:`)
  return reply
}
