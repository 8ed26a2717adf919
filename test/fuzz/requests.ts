/** One request from a number: the same number, the same request. */
import { operations, type Operation } from '@countermand/contract'
import { dice, numbers, oneOf, type Dice } from '../../packages/server/src/testing/dice.ts'
import { form, runScript } from '../../packages/server/src/testing/server.ts'
import { bytesOf, valueOf } from './bodies.ts'
import { idOf, maybe, randomCase, word, type Pool } from './words.ts'

export interface Sent {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** The operation that it was made for; null for what is beside the contract, or was spoilt. */
  readonly operation: string | null
  readonly token: string
}

const rows: readonly (readonly [string, Operation])[] = Object.entries(operations)
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'] as const
const besides = [
  '/',
  '/api',
  '/api/investigations',
  '/api/machineactions/$count',
  '/api/machines/$count',
  '/healthz',
  '/common/discovery/instance?api-version=1.1',
  '/TENANT/v2.0/.well-known/openid-configuration',
  '/TENANT/discovery/v2.0/keys',
  '/TENANT/oauth2/v2.0/token',
  '/TENANT/oauth2/token',
  '/download/WORD',
  '/device/enrol',
  '/device/sync',
  '/device/wake',
  '/device/actions/WORD/link',
  '/device/transfer/WORD',
  '/api/machines/WORD/startInvestigation',
  '/WORD',
] as const

export function requestOf(seed: number, n: number, pool: Pool): Sent {
  const roll = dice(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(n + 1, 0x85ebca6b))
  const token = maybe(roll, 2) ? pool.tokens[0] : oneOf(roll, pool.tokens)
  const [name, row] = rows[roll(rows.length)] ?? rows[0] ?? []
  const isBeside = maybe(roll, 12) || row === undefined
  const whole = isBeside ? besidesOf(roll, pool) : pathOf(roll, row, pool)
  const isCut = !isBeside && maybe(roll, 40)
  const path = isCut ? whole.slice(0, roll(whole.length) + 1) : whole
  const { headers, body } = isBeside ? plain(roll) : contentOf(roll, row, pool)
  const common = row === undefined || isBeside ? oneOf(roll, ['GET', 'POST']) : row.method
  const method = maybe(roll, 25) ? oneOf(roll, methods) : common
  return {
    method,
    path: sendable(path + (path.includes('?') ? '' : queryOf(roll, path))),
    headers: { ...headers, ...headersOf(roll), ...(token.text !== null && { authorization: token.text }) },
    body,
    operation: isBeside || isCut || method !== common ? null : (name ?? null),
    token: token.kind,
  }
}

const besidesOf = (roll: Dice, { tenant }: Pool): string =>
  oneOf(roll, besides)
    .replace('TENANT', maybe(roll, 3) ? word(roll) : tenant)
    .replace('WORD', () => escaped(roll, word(roll)))

function pathOf(roll: Dice, row: Operation, pool: Pool): string {
  const filled = row.path.replace(/:(\w+)/g, (_, name: string) => {
    if (name === 'arguments') return argumentsOf(roll)
    if (name === 'index') return maybe(roll, 3) ? escaped(roll, word(roll)) : `${roll(3)}`
    if (name === 'fileName') return maybe(roll, 2) ? 'run.sh' : escaped(roll, word(roll))
    return escaped(roll, idOf(roll, row.path.includes('/machines/') ? pool.machines : pool.actions))
  })
  const version = maybe(roll, 8) ? filled.replace('/api', '/api/v1.0') : filled
  const spelt = maybe(roll, 8) ? randomCase(roll, version) : version
  return maybe(roll, 10) ? `${spelt}/` : spelt
}

function argumentsOf(roll: Dice): string {
  const ip = maybe(roll, 3) ? word(roll) : '192.0.2.17'
  const time = maybe(roll, 3) ? word(roll) : '2026-02-03T04:05:06Z'
  const name = oneOf(roll, ['ip', 'key', 'IP', ''])
  const both = [`${name}='${ip}'`, `timestamp=${time}`]
  return escaped(roll, maybe(roll, 8) ? word(roll) : (maybe(roll, 2) ? both : both.toReversed()).join(','))
}

function queryOf(roll: Dice, path: string): string {
  const names = ['$top', '$skip', '$filter', '$orderby', '$select', '$count', '$expand', 'tag', 'x'] as const
  const pairs = numbers(maybe(roll, 3) ? roll(4) : 0).map(() => {
    const name = maybe(roll, 8) ? escaped(roll, word(roll)) : oneOf(roll, names)
    return `${maybe(roll, 4) ? name.replace('$', '%24') : name}=${escaped(roll, word(roll))}`
  })
  if (/\/findbytag/i.test(path) && !maybe(roll, 4)) pairs.push(`tag=${escaped(roll, word(roll))}`)
  // Lists grow in the course of a run; all of them each time would measure the network.
  const isList = /\/(machineactions|machines)\/?$/i.test(path)
  if (isList && !maybe(roll, 100)) pairs.push(`$top=${roll(20)}`)
  // Else it would go on for ten minutes.
  if (/\/countermand\/events/i.test(path))
    return `?${[...(maybe(roll, 2) ? [] : pairs), 'follow=false'].join('&')}`
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}

const escaped = (roll: Dice, text: string): string =>
  maybe(roll, 3) ? text : encodeURIComponent(text.toWellFormed())

/** What Node's own client lets through; everything else goes as an escape. */
const sendable = (path: string): string =>
  path.replaceAll(/[^!-~]/gu, (sign) => encodeURIComponent(sign.toWellFormed())).replaceAll('#', '%23')

interface Content {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

const plain = (roll: Dice): Content => ({
  headers: {},
  body: Buffer.from(
    oneOf(roll, [
      '',
      'grant_type=client_credentials&client_id=x&client_secret=y&scope=z',
      'grant_type=client_credentials&client_assertion=a.b.c',
      'a.b.c',
      '{}',
      word(roll),
    ]),
  ),
})

function contentOf(roll: Dice, row: Operation, pool: Pool): Content {
  if (row.form === true && !maybe(roll, 6)) {
    const name = maybe(roll, 2) ? 'run.sh' : word(roll).replaceAll(/["\r\n]/g, '_')
    const words = { Description: word(roll), OverrideIfExists: oneOf(roll, ['true', 'false', word(roll)]) }
    const field = oneOf(roll, ['file', 'File', 'other'])
    const made = form(name, word(roll), { field, words })
    return maybe(roll, 8) ? { ...made, body: made.body.subarray(0, roll(made.body.length)) } : made
  }
  if (row.body === undefined) return maybe(roll, 6) ? plain(roll) : { headers: {}, body: Buffer.alloc(0) }
  const isScript = row.limit === 'liveResponse' && maybe(roll, 3)
  return { headers: {}, body: bytesOf(roll, isScript ? script : valueOf(roll, row.body, pool)) }
}

/** Chance alone would hardly ever come by it. */
const script = { Comment: 'case 17', Commands: [runScript('run.sh')] }

const types = [
  'application/json',
  'application/x-www-form-urlencoded',
  'text/plain; charset=utf-16',
  'multipart/form-data',
  'multipart/form-data; boundary=x',
  ';;;',
  'json',
] as const

function headersOf(roll: Dice): Record<string, string> {
  const headers: Record<string, string> = {}
  if (maybe(roll, 3)) headers['content-type'] = oneOf(roll, types)
  if (maybe(roll, 20)) headers.accept = oneOf(roll, ['text/html', '*/*;q=0', 'application/xml'])
  if (maybe(roll, 30)) headers['content-encoding'] = 'gzip'
  if (maybe(roll, 30)) headers.range = oneOf(roll, ['bytes=0-', 'bytes=-1', 'bytes=9-1', 'x'])
  if (maybe(roll, 30)) headers.host = oneOf(roll, ['localhost', 'x', '[::1]:80', 'a b', ''])
  if (maybe(roll, 30)) headers['x-forwarded-proto'] = 'javascript'
  if (maybe(roll, 40)) headers[oneOf(roll, ['x-a', 'cookie', 'if-match'])] = 'y'.repeat(roll(4_000))
  return headers
}
