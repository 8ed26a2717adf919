/** What must hold of every answer, whatever was asked (`wire.md` 8 and 18). */
import type { Sent } from './requests.ts'

export interface Got {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

const isGuid = (text: unknown): boolean =>
  typeof text === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)
/** Of a stack, of a database, of this program's files. */
const insides =
  /\n\s+at |\.(?:ts|mjs|js):\d+|node_modules|node:internal|SQLITE_|SqliteError|no such column|syntax error/i
/** The token endpoint speaks OAuth (RFC 6749 5.2), not the reference's envelope. */
const speaksOauth = /^\/[^/]*\/oauth2\/(v2\.0\/)?token/i

/** What is wrong with it; nothing where all is well. `secrets` may stand in no answer. */
export function faultsOf(sent: Sent, got: Got, secrets: readonly string[]): readonly string[] {
  const faults: string[] = []
  if (got.status >= 500) faults.push(`is ${got.status}`)
  if (insides.test(got.text)) faults.push('shows its insides')
  if (secrets.some((secret) => got.text.includes(secret))) faults.push('shows a secret')
  const requestId = got.headers['request-id']
  if (!isGuid(requestId) && got.status !== 400) faults.push('has no request id')
  if (got.status >= 400 && sent.method !== 'HEAD' && !speaksOauth.test(sent.path))
    faults.push(...envelopeFaults(got, requestId))
  return faults
}

function envelopeFaults(got: Got, requestId: unknown): readonly string[] {
  if (!String(got.headers['content-type']).startsWith('application/json'))
    return ['is an error that is no JSON']
  const error = errorIn(got)
  if (error === null) return ['is an error without the envelope']
  const { code, message, target } = error
  const faults: string[] = []
  if (typeof code !== 'string' || !/^[A-Z][A-Za-z]+$/.test(code)) faults.push('is an error without a code')
  if (typeof message !== 'string' || message === '') faults.push('is an error without a message')
  if (!isGuid(target) || (requestId !== undefined && target !== requestId)) faults.push('has another target')
  return faults
}

/** A conflict shows how it is beside the error, in an object of ours; nothing else shows anything. */
function errorIn({ text, status }: Got): Readonly<Record<string, unknown>> | null {
  try {
    const { error, ...rest } = JSON.parse(text) as { error?: Readonly<Record<string, unknown>> }
    const strange = Object.keys(rest).filter((name) => status !== 409 || name !== 'countermand')
    return error === undefined || strange.length > 0 ? null : error
  } catch {
    return null
  }
}
