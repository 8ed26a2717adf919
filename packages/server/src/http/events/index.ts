/** `GET /api/countermand/events`: which events, from where, and how long. */
import type { events } from '@countermand/contract'
import type { FastifyInstance } from 'fastify'
import type { App } from '../../app/ports.ts'
import { eventsAfter, lastPlace } from '../../app/read-events.ts'
import { Refusal } from '../../core/errors.ts'
import { isWanted, type EventFilter } from '../../core/event-filter.ts'
import { streamHeaders } from '../device/wake.ts'
import type { Handlers } from '../operation.ts'
import { openTail, textOf } from './tail.ts'

/** Whoever wants more comes again, with a token that is looked at anew. */
const longestMs = 10 * 60_000
const heartbeatMs = 15_000
/** Each costs a socket; beyond that something has forgotten to close them. */
const mostStreams = 200

/** Streams end when the server closes. */
export function openEventHandlers(server: FastifyInstance, app: App): Handlers<typeof events> {
  const tail = openTail(app, (err) => server.log.error({ err }, 'event stream'))
  let open = 0
  server.addHook('preClose', (done) => {
    tail.close()
    done()
  })
  return {
    streamEvents: async ({ query, request, reply }) => {
      const filter = readFilter(query)
      const from = readPlace(query.get('after') ?? request.headers['last-event-id'])
      const isFollowing = readYes(query, 'follow', true)
      if (open >= mostStreams)
        throw new Refusal('TooManyRequests', `${open} event streams are open; close one.`, 60)
      const place = from ?? (await lastPlace(app))
      void reply.headers(streamHeaders)
      if (!isFollowing) return textFrom(app, filter, place)
      open += 1
      const { raw } = reply.hijack()
      raw.once('close', () => (open -= 1))
      raw.writeHead(200, { ...streamHeaders, 'request-id': request.id })
      // The first line at once, so that it is known to be open; and how soon to come again.
      raw.write('retry: 1000\n\n')
      const beat = setInterval(() => raw.write(':\n\n'), heartbeatMs)
      const end = setTimeout(() => raw.end(), longestMs)
      raw.once('close', () => {
        clearInterval(beat)
        clearTimeout(end)
      })
      await tail.join({ response: raw, filter, place })
      return ''
    },
  }
}

/** What is there now, and no more. */
async function textFrom(app: App, filter: EventFilter, place: number): Promise<string> {
  const texts: string[] = []
  const until = await lastPlace(app)
  for (let at = place; at < until;) {
    const read = await eventsAfter(app, at)
    const last = read.at(-1)
    if (last === undefined || texts.length >= mostInOne) break
    texts.push(...read.filter((event) => isWanted(filter, event)).map(textOf))
    at = last.n
  }
  return texts.join('')
}

/** In an answer that does not follow; the last id leads on. */
const mostInOne = 10_000

const names = ['kind', 'machineId', 'actionId', 'alarm', 'after', 'follow']

/** @throws Refusal InvalidInput for what is not understood: passing it over would tell of what was not asked for, or of less */
function readFilter(query: URLSearchParams): EventFilter {
  const unknown = [...query.keys()].find((name) => !names.includes(name))
  if (unknown !== undefined)
    throw new Refusal('InvalidInput', `There is no parameter ${unknown}; there are ${names.join(', ')}.`)
  const kinds = query
    .getAll('kind')
    .flatMap((text) => text.split(','))
    .filter((kind) => kind !== '')
  return {
    kinds,
    machineId: query.get('machineId')?.toLowerCase() ?? null,
    actionId: query.get('actionId')?.toLowerCase() ?? null,
    alarmsOnly: readYes(query, 'alarm', false),
  }
}

function readYes(query: URLSearchParams, name: string, standing: boolean): boolean {
  const text = query.get(name)
  if (text === null) return standing
  if (text !== 'true' && text !== 'false') throw new Refusal('InvalidInput', `${name} takes true or false.`)
  return text === 'true'
}

function readPlace(text: string | readonly string[] | undefined): number | null {
  if (text === undefined || text === '') return null
  if (typeof text === 'string' && /^\d{1,15}$/.test(text)) return Number(text)
  throw new Refusal('InvalidInput', 'Last-Event-ID, and after, take the id of an event.')
}
