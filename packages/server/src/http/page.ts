import { Refusal } from '../core/errors.ts'

/** `wire.md` 7: the largest page, and the page when none is asked for. */
const largest = 10_000

/**
 * `$top` and `$skip`. @throws Refusal ODataError for what is not a whole number from 0, and for an option that is not known yet: a
 * filter that is passed over would answer what was not asked for, and somebody might cancel all of it.
 */
export function readPage(query: URLSearchParams): { top: number; skip: number } {
  for (const name of query.keys()) {
    if (name.startsWith('$') && name !== '$top' && name !== '$skip') {
      throw new Refusal('ODataError', `The query option ${name} is not supported yet; $top and $skip are.`)
    }
  }
  return { top: Math.min(count(query, '$top') ?? largest, largest), skip: count(query, '$skip') ?? 0 }
}

function count(query: URLSearchParams, name: string): number | null {
  const text = query.get(name)
  if (text === null) return null
  if (!/^\d{1,9}$/.test(text))
    throw new Refusal('ODataError', `Invalid value '${text}' for ${name}: a whole number from 0 is expected.`)
  return Number(text)
}
