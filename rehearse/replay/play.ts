/** Plays a recording against a server: each request once, a question until it has the answer that was recorded. */
import { setTimeout as pause } from 'node:timers/promises'
import { isExchange, masked, replayHeader, type Exchange, type Line } from '../recording.ts'
import { Ids, differencesOf, type Difference } from './compare.ts'

export interface Played {
  /** From 1, as it stands in the recording. */
  readonly number: number
  readonly exchange: Exchange
  readonly differences: readonly Difference[]
}

export interface PlayParts {
  /** Of the server, without a slash at its end. */
  readonly base: string
  /** `Bearer …` */
  readonly bearer: () => Promise<string>
  /** Devices that are there, by name. */
  readonly devices: ReadonlyMap<string, string>
  /** How long a question is asked again. */
  readonly patienceMs: number
}

const againAfterMs = 250

/**
 * One after the other. What was asked again and again while it was recorded is one question here, its last answer counts.
 * @throws Error for a device of the recording that the server does not have, where something is asked of it
 */
export async function* play(lines: readonly Line[], parts: PlayParts): AsyncIterable<Played> {
  const ids = new Ids()
  const links: string[] = []
  const exchanges = lines.filter(isExchange)
  for (const line of lines) {
    if (isExchange(line)) continue
    const now = parts.devices.get(line.name)
    if (now !== undefined) ids.learn(line.device, now)
    else if (exchanges.some(({ path, request }) => (path + request.body).includes(line.device)))
      throw new Error(
        `This server has no device ${line.name}, which the recording speaks to: start a rehearsal that has.`,
      )
  }
  for (const [index, exchange] of exchanges.entries()) {
    if (isAskedAgain(exchange, exchanges[index + 1]) || isToken(exchange)) continue
    const differences = await one(exchange, { ...parts, ids, links })
    yield { number: index + 1, exchange, differences }
  }
}

const isAskedAgain = ({ method, path }: Exchange, next: Exchange | undefined): boolean =>
  method === 'GET' && next?.method === 'GET' && next.path === path
const isToken = ({ path }: Exchange): boolean => /\/oauth2\/(v2\.0\/)?token(\?|$)/i.test(path)

interface Playing extends PlayParts {
  readonly ids: Ids
  /** Links for one file that were given, the latest last. */
  readonly links: string[]
}

async function one(exchange: Exchange, playing: Playing): Promise<readonly Difference[]> {
  const until = performance.now() + playing.patienceMs
  for (;;) {
    const differences = await ask(exchange, playing)
    if (differences.length === 0 || exchange.method !== 'GET' || performance.now() > until) return differences
    await pause(againAfterMs)
  }
}

async function ask(
  exchange: Exchange,
  { base, bearer, ids, links }: Playing,
): Promise<readonly Difference[]> {
  const { method, request } = exchange
  const isLink = exchange.path.includes(`/download/${masked}`)
  const link = isLink ? links.at(-1) : undefined
  const bytes = Buffer.from(
    request.isBase64 === true ? request.body : ids.translate(request.body),
    request.isBase64 === true ? 'base64' : 'utf8',
  )
  const response = await fetch(link ?? base + ids.translate(exchange.path), {
    method,
    headers: { ...request.headers, [replayHeader]: '1', ...(!isLink && { authorization: await bearer() }) },
    ...(method !== 'GET' && bytes.length > 0 && { body: bytes }),
  })
  const answered = Buffer.from(await response.arrayBuffer())
  if (response.status !== exchange.status)
    return [
      {
        at: 'HTTP status',
        recorded: exchange.status,
        now: `${response.status} ${answered.toString().slice(0, 300)}`,
      },
    ]
  if (exchange.answer.isBase64 === true) return []
  const [recorded, now] = [exchange.answer.body, answered.toString()].map(bodyOf)
  for (const found of answered.toString().matchAll(/https?:\/\/[^"]+\/download\/[^"]+/g)) links.push(found[0])
  return differencesOf(recorded, now, ids)
}

function bodyOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
