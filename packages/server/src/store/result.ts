/** How a piece of work ended, as plain data: an error does not keep its class on the way between threads. */
import { Refusal } from '../core/errors.ts'

export type Result =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly refusal: Told }
  | { readonly ok: false; readonly fault: string }

type Told = Pick<Refusal, 'code' | 'message' | 'retryAfterSeconds'>

export const failure = (thrown: unknown): Result => {
  const refusal = refusalOf(thrown)
  if (refusal !== null) {
    const { code, message, retryAfterSeconds } = refusal
    return { ok: false, refusal: { code, message, retryAfterSeconds } }
  }
  return { ok: false, fault: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) }
}

/** What a caller is told in words: a refusal, or a database that cannot do its part just now. Null for a fault. */
export function refusalOf(thrown: unknown): Refusal | null {
  if (thrown instanceof Refusal) return thrown
  if (codeOf(thrown) === characterNotInRepertoire)
    return new Refusal('InvalidInput', 'Text with a NUL in it cannot be stored.')
  const message = whyUnstorable(thrown) ?? whyUnreachable(thrown)
  return message === null ? null : new Refusal('ServiceUnavailable', message)
}

/** The value, or the error that it was. */
export function unwrap(result: Result): unknown {
  if (result.ok) return result.value
  if ('refusal' in result) {
    const { code, message, retryAfterSeconds } = result.refusal
    throw new Refusal(code, message, retryAfterSeconds)
  }
  throw new Error(result.fault)
}

/** SQLite's primary result codes for a disk that cannot be written (sqlite.org/rescode.html). */
const unwritable: Readonly<Record<number, string>> = {
  8: 'The database cannot be written: its folder is read-only. Nothing was stored; try again.',
  10: 'The database cannot be written: its disk fails. Nothing was stored; try again.',
  13: 'The database cannot be written: its disk is full. Nothing was stored; try again.',
}

/** Trouble with a disk, or another connection in the way: it passes. */
export const isPassing = (thrown: unknown): boolean =>
  whyUnstorable(thrown) !== null || (thrown instanceof Error && 'errcode' in thrown && thrown.errcode === 5)

function whyUnstorable(thrown: unknown): string | null {
  if (!(thrown instanceof Error) || !('errcode' in thrown) || typeof thrown.errcode !== 'number') return null
  return unwritable[thrown.errcode & 0xff] ?? null
}

/**
 * PostgreSQL's codes for a server that is not there, is going, has no room, or may not be written now
 * (postgresql.org, Appendix A), and the system's for a connection that does not stand.
 */
const unreachable = /^(08\w{3}|53\w{3}|57P\w{2}|58\w{3}|25006|ECONN\w+|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)$/

/** The driver's own words for it, which come without a code. */
const hungUp = /^(Connection terminated|Client has encountered a connection error)/

function whyUnreachable(thrown: unknown): string | null {
  if (!(thrown instanceof Error)) return null
  if (!unreachable.test(codeOf(thrown)) && !hungUp.test(thrown.message)) return null
  return 'The database cannot be reached. Whether this was stored is not known; look, and try again.'
}

/** PostgreSQL's word for a NUL. */
const characterNotInRepertoire = '22021'

const codeOf = (thrown: unknown): string =>
  thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
