/** Event streams to devices. A line says *sync now* and nothing else; a lost one is made good by the next heartbeat. */
import type { ServerResponse } from 'node:http'
import { devicePaths, heartbeatMs } from '@countermand/contract'
import type { FastifyInstance } from 'fastify'
import type { App } from '../../app/ports.ts'
import { deviceOf } from './ticket.ts'

/** Streams told in one go; between slices the loop breathes. */
const slice = 500

interface Stream {
  readonly machineId: string
  readonly response: ServerResponse
}

export function mountWake(server: FastifyInstance, app: App): void {
  const streams = new Set<Stream>()
  const heartbeat = setInterval(
    () => void beat(app, [...streams]).catch((err: unknown) => server.log.error({ err }, 'heartbeat')),
    heartbeatMs,
  )
  server.addHook('preClose', (done) => {
    clearInterval(heartbeat)
    for (const { response } of streams) response.end()
    done()
  })
  server.get(devicePaths.wake, async (request, reply) => {
    const machineId = deviceOf(app, request)
    const work = await workOf(app, [machineId])
    reply.hijack()
    const stream = { machineId, response: reply.raw }
    reply.raw.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    const stop = app.bus.onWake(machineId, () => reply.raw.write('event: wake\ndata:\n\n'))
    streams.add(stream)
    request.raw.once('close', () => {
      stop()
      streams.delete(stream)
    })
    write(stream, work.get(machineId) ?? 0)
  })
}

const workOf = (app: App, ids: readonly string[]): Promise<ReadonlyMap<string, number>> =>
  app.store.read(({ devices }) => devices.workOf(ids))

function write({ response }: Stream, work: number): void {
  response.write(`event: work\ndata: ${work}\n\n`)
}

async function beat(app: App, streams: readonly Stream[]): Promise<void> {
  for (let from = 0; from < streams.length; from += slice) {
    const some = streams.slice(from, from + slice)
    const work = await workOf(
      app,
      some.map(({ machineId }) => machineId),
    )
    for (const stream of some) write(stream, work.get(stream.machineId) ?? 0)
  }
}
