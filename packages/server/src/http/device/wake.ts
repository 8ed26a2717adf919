/** Event streams to devices. A line says *sync now* and nothing else; a lost one is made good by the next heartbeat. */
import type { ServerResponse } from 'node:http'
import { devicePaths, heartbeatMs } from '@countermand/contract'
import type { FastifyInstance } from 'fastify'
import type { App } from '../../app/ports.ts'
import { everyAnswer, onlyOurs } from '../guard/headers.ts'
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
    const machineId = await deviceOf(app, request)
    const stream = { machineId, response: reply.raw }
    reply.hijack()
    reply.raw.writeHead(200, streamHeaders)
    // Listening comes before the look: what is committed between the two is not missed.
    const stop = app.bus.onWake(machineId, () => write(stream, 'event: wake\ndata:\n\n'))
    const disconnected = app.meter.connected(machineId)
    streams.add(stream)
    reply.raw.once('close', () => {
      stop()
      disconnected()
      streams.delete(stream)
    })
    const work = await workOf(app, [machineId])
    writeWork(stream, work)
  })
}

/** Of any stream of events. */
export const streamHeaders = {
  ...everyAnswer,
  ...onlyOurs,
  'content-type': 'text/event-stream',
  // A proxy that collects lines would make a wake-up late.
  'x-accel-buffering': 'no',
}

const workOf = (app: App, ids: readonly string[]): Promise<ReadonlyMap<string, number>> =>
  app.store.read('workOfDevices', ids)

/** What a reader may have left unread before it is taken for gone; it comes again and looks at the counter. */
const mostUnread = 16 * 1024

function write({ response }: Stream, text: string): void {
  if (response.writableLength > mostUnread) response.destroy()
  else response.write(text)
}

const writeWork = (stream: Stream, work: ReadonlyMap<string, number>): void =>
  write(stream, `event: work\ndata: ${work.get(stream.machineId) ?? 0}\n\n`)

async function beat(app: App, streams: readonly Stream[]): Promise<void> {
  for (let from = 0; from < streams.length; from += slice) {
    const some = streams.slice(from, from + slice)
    const work = await workOf(
      app,
      some.map(({ machineId }) => machineId),
    )
    for (const stream of some) writeWork(stream, work)
  }
}
