import { wrong, type Literal } from './tree.ts'

/** Longest text of an option, in characters. A URL has no more than 16 KiB. */
export const longestText = 16_384

export type Token =
  | Literal
  | { readonly kind: 'name'; readonly value: string; readonly at: number }
  | { readonly kind: 'sign'; readonly value: string; readonly at: number }
  | { readonly kind: 'end'; readonly value: ''; readonly at: number }

const blank = /[ \t\r\n]+/y
const text = /'((?:[^']|'')*)'(?!')/y
const guid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])/iy
/** A `+` before the offset reaches us as a blank where nobody escaped it. */
const time =
  /(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d{1,12})?)?)?(?:Z|([ +-])(\d\d):(\d\d))?(?![\w.:-])/iy
const number = /-?\d{1,15}(?:\.\d{1,15})?(?![\d.])/y
/** A field within a field is one name; what has a bracket behind it asks about each of several values. */
const name = /[a-z_][\w.]*(?:\/(?![a-z_]\w*\s*\()[a-z_][\w.]*)*/iy
const sign = /[(),/:]/y

/**
 * Splits the text of an option. Blanks are needed only where two words would become one: `'a'and` is two tokens (`wire.md` 7).
 * @throws Refusal ODataError, with the position
 */
export function lex(source: string): readonly Token[] {
  if (source.length > longestText)
    throw wrong(`The text is longer than ${longestText} characters`, longestText + 1)
  const nul = source.indexOf('\0')
  if (nul >= 0) throw wrong('No text has the character NUL in it', nul + 1)
  const tokens: Token[] = []
  let from = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = from
    const found = pattern.exec(source)
    if (found !== null) from = pattern.lastIndex
    return found
  }
  for (;;) {
    take(blank)
    const at = from + 1
    if (from === source.length) return [...tokens, { kind: 'end', value: '', at }]
    tokens.push(next(take, source, at))
  }
}

function next(take: (pattern: RegExp) => RegExpExecArray | null, source: string, at: number): Token {
  const quoted = take(text)?.[1]
  if (quoted !== undefined) return { kind: 'text', value: quoted.replaceAll("''", "'"), at }
  const id = take(guid)?.[0]
  if (id !== undefined) return { kind: 'guid', value: id, at }
  const moment = take(time)
  if (moment !== null) return { kind: 'time', value: momentOf(moment, at), at }
  const digits = take(number)?.[0]
  if (digits !== undefined) return { kind: 'number', value: Number(digits), at }
  const word = take(name)?.[0]
  if (word !== undefined) return wordOf(word, at)
  const mark = take(sign)?.[0]
  if (mark !== undefined) return { kind: 'sign', value: mark, at }
  const odd = String.fromCodePoint(source.codePointAt(at - 1) ?? 0)
  throw wrong(odd === "'" ? 'A text has no closing quote' : `'${odd}' is not understood`, at)
}

function wordOf(word: string, at: number): Token {
  switch (word.toLowerCase()) {
    case 'null':
      return { kind: 'null', value: null, at }
    case 'true':
      return { kind: 'truth', value: true, at }
    case 'false':
      return { kind: 'truth', value: false, at }
  }
  return { kind: 'name', value: word, at }
}

/** UTC where it says nothing else; midnight where it is a date only. */
function momentOf(found: RegExpExecArray, at: number): number {
  const [written, year, month, day, hour = 0, minute = 0, second = 0, fraction = ''] = found
  const [, , , , , , , , direction = '+', offsetHours = 0, offsetMinutes = 0] = found
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  const isDay = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
  const isTime = Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60
  const isOffset = Number(offsetHours) <= 14 && Number(offsetMinutes) < 60
  if (!isDay || !isTime || !isOffset) throw wrong(`There is no time ${written}`, at)
  const east = (Number(offsetHours) * 60 + Number(offsetMinutes)) * (direction === '-' ? -1 : 1)
  const minutes = Number(hour) * 60 + Number(minute) - east
  const [whole, parts] = [fraction.slice(1, 4).padEnd(3, '0'), fraction.slice(4)]
  // What is kept has whole milliseconds: between two of them one place is like another, and a half is exact.
  const between = /[1-9]/.test(parts) ? 0.5 : 0
  return date.getTime() + minutes * 60_000 + Number(second) * 1_000 + Number(whole) + between
}
