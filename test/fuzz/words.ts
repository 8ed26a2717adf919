/** What goes where a text is expected: things that are there, things that are not, and things that nobody should send. */
import { numbers, oneOf, type Dice } from '../../packages/server/src/testing/dice.ts'

/** What is on the server that is asked. */
export interface Pool {
  readonly machines: readonly [string, ...string[]]
  readonly actions: readonly [string, ...string[]]
  /** Authorization headers by what they are; the first is right in everything. */
  readonly tokens: readonly [Token, ...Token[]]
  readonly tenant: string
}

export interface Token {
  readonly kind: string
  /** Null for none at all. */
  readonly text: string | null
}

/** One time in `of`. */
export const maybe = (roll: Dice, of: number): boolean => roll(of) === 0

const junk: readonly [string, ...string[]] = [
  '',
  ' ',
  '.',
  '..',
  '../../etc/passwd',
  '%',
  '%00',
  '%2e%2e%2f',
  '%zz',
  '%c0%af',
  '%ED%A0%80',
  '\0',
  '\ud800',
  '\u{1f600}',
  '\u202e',
  'ü'.repeat(300),
  'x'.repeat(5_000),
  "'",
  "' or 1=1 --",
  '"',
  '"}',
  '\\',
  '$count',
  '(',
  ')',
  '(index=0)',
  '${7*7}',
  '{{7*7}}',
  '<script>',
  'null',
  'true',
  'NaN',
  '-1',
  '0',
  '1e999',
  '9'.repeat(400),
  '2026-02-03T04:05:06.1234567Z',
  '2026-02-30',
  '+275760-09-13T00:00:00.001Z',
  '192.0.2.17',
  '::ffff:192.0.2.17',
  'fe80::1%eth0',
  'constructor',
  '__proto__',
  'hasOwnProperty',
  'toString',
  'run.sh',
  'elastic-connector-test',
  'a,b',
  'a=b',
  'a;b',
  'a\r\nx: y',
]
const letters = 'abcXYZ012 %$\'"()=,;:/?#&+-_.~\\<>{}[]|^`ü€\0\t'

export function word(roll: Dice): string {
  if (!maybe(roll, 4)) return oneOf(roll, junk)
  return numbers(roll(24))
    .map(() => letters[roll(letters.length)] ?? '')
    .join('')
}

/** An id that is there, most of the time. */
export const idOf = (roll: Dice, ids: readonly [string, ...string[]]): string => {
  if (maybe(roll, 4)) return word(roll)
  const id = oneOf(roll, ids)
  return maybe(roll, 8) ? id.toUpperCase() : id
}

export const randomCase = (roll: Dice, text: string): string =>
  Array.from(text, (letter) => (maybe(roll, 2) ? letter.toUpperCase() : letter.toLowerCase())).join('')
