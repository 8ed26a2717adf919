import { Refusal } from '../core/errors.ts'

/** `wire.md` 7: the largest page, and the page when none is asked for. */
const largest = 10_000

/**
 * @throws Refusal ODataError for an option that is not known yet: a filter that is passed over would answer what was not asked
 * for, and somebody might cancel all of it.
 */
export function refuseUnknownOptions(query: URLSearchParams, known: readonly string[]): void {
  const unknown = [...query.keys()].find((name) => name.startsWith('$') && !known.includes(name))
  if (unknown === undefined) return
  const instead = known.length === 0 ? '' : ` ${known.join(' and ')} are.`
  throw new Refusal('ODataError', `The query option ${unknown} is not supported yet.${instead}`)
}

/** `$top` and `$skip`. @throws Refusal ODataError for what is not a whole number from 0. */
export function readPage(query: URLSearchParams): { top: number; skip: number } {
  refuseUnknownOptions(query, ['$top', '$skip'])
  return { top: Math.min(count(query, '$top') ?? largest, largest), skip: count(query, '$skip') ?? 0 }
}

function count(query: URLSearchParams, name: string): number | null {
  const text = query.get(name)
  if (text === null) return null
  if (!/^\d{1,9}$/.test(text))
    throw new Refusal('ODataError', `Invalid value '${text}' for ${name}: a whole number from 0 is expected.`)
  return Number(text)
}
