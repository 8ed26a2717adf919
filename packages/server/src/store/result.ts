/** How a piece of work ended, as plain data: an error does not keep its class on the way between threads. */
import { Refusal, type RefusalCode } from '../core/errors.ts'

export type Result =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly refusal: { readonly code: RefusalCode; readonly message: string } }
  | { readonly ok: false; readonly fault: string }

export const failure = (thrown: unknown): Result => {
  if (thrown instanceof Refusal) return { ok: false, refusal: { code: thrown.code, message: thrown.message } }
  const unstorable = whyUnstorable(thrown)
  if (unstorable !== null) {
    return {
      ok: false,
      refusal: { code: 'ServiceUnavailable', message: `${unstorable} Nothing was stored; try again.` },
    }
  }
  return { ok: false, fault: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) }
}

/** The value, or the error that it was. */
export function unwrap(result: Result): unknown {
  if (result.ok) return result.value
  if ('refusal' in result) throw new Refusal(result.refusal.code, result.refusal.message)
  throw new Error(result.fault)
}

/** SQLite's primary result codes for a disk that cannot be written (sqlite.org/rescode.html). */
const unwritable: Readonly<Record<number, string>> = {
  8: 'The database cannot be written: its folder is read-only.',
  10: 'The database cannot be written: its disk fails.',
  13: 'The database cannot be written: its disk is full.',
}

function whyUnstorable(thrown: unknown): string | null {
  if (!(thrown instanceof Error) || !('errcode' in thrown) || typeof thrown.errcode !== 'number') return null
  return unwritable[thrown.errcode & 0xff] ?? null
}
