/** A recording: requests and answers, a line of JSON each, without a secret in it. */

export interface Message {
  readonly headers: Readonly<Record<string, string>>
  /** Text, or bytes as base64. */
  readonly body: string
  readonly isBase64?: true
}

export interface Exchange {
  readonly at: string
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly request: Message
  readonly status: number
  readonly answer: Message
}

/** A device of the rehearsal, so that another one can be found by its name. */
export interface NamedDevice {
  readonly device: string
  readonly name: string
}

export type Line = Exchange | NamedDevice
export const isExchange = (line: Line): line is Exchange => 'method' in line

/** Of all headers only what a playbook is about. */
const kept = ['content-type', 'idempotency-key', 'prefer', 'retry-after', 'accept']

/** Goes with every request of a replay: it is not to be recorded once more. */
export const replayHeader = 'x-countermand-replay'

export const masked = '***'
const secretNames = [
  'client_secret',
  'client_assertion',
  'password',
  'access_token',
  'refresh_token',
  'id_token',
  'secretText',
  'enrolmentToken',
]

export function messageOf(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  bytes: Buffer,
): Message {
  const some = kept.flatMap((name) => {
    const value = headers[name]
    return value === undefined ? [] : [[name, String(value)] as const]
  })
  const about = { headers: Object.fromEntries(some) }
  const text = textOf(bytes)
  if (text === null) return { ...about, body: bytes.toString('base64'), isBase64: true }
  return { ...about, body: maskedIn(text, String(headers['content-type'] ?? '')) }
}

/** Null for bytes that are no text. */
function textOf(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}

function maskedIn(text: string, type: string): string {
  if (type.includes('x-www-form-urlencoded')) {
    const form = new URLSearchParams(text)
    for (const name of secretNames) if (form.has(name)) form.set(name, masked)
    return form.toString()
  }
  if (!type.includes('json')) return text
  try {
    return JSON.stringify(JSON.parse(text), (name: string, value: unknown) =>
      secretNames.includes(name) ? masked : linkMasked(value),
    )
  } catch {
    return text
  }
}

/** A link for one file is worth what it says. */
const linkMasked = (value: unknown): unknown =>
  typeof value === 'string' && /^https?:\/\//.test(value) ? pathMasked(value) : value

/** Of an address: what a link by itself gives leave with. */
export const pathMasked = (address: string): string => address.replace(/(\/download\/)[^/?]+/, `$1${masked}`)
