import { Refusal } from '../core/errors.ts'

/** `wire.md` 7: the largest page, and the page when none is asked for. */
const largest = 10_000

/** `$top` and `$skip`. @throws Refusal ODataError for what is not a whole number from 0. */
export function readPage(query: URLSearchParams): { top: number; skip: number } {
  return { top: Math.min(count(query, '$top') ?? largest, largest), skip: count(query, '$skip') ?? 0 }
}

function count(query: URLSearchParams, name: string): number | null {
  const text = query.get(name)
  if (text === null) return null
  if (!/^\d{1,9}$/.test(text))
    throw new Refusal('ODataError', `Invalid value '${text}' for ${name}: a whole number from 0 is expected.`)
  return Number(text)
}
