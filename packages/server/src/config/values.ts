/** How a value is written: as a flag's text, and what it must be like. For the rows of `settings.ts`. */
import { isIP, isIPv4, isIPv6 } from 'node:net'
import { Allowed } from '@countermand/contract'
import { Type, type TSchema } from 'typebox'

/** How a flag's text becomes a value. What it answers is looked at by the schema, as the value in a file is. */
export type Read = (text: string) => unknown

export const asIs: Read = (text) => text
export const number: Read = (text) => (/^-?\d{1,12}$/.test(text) ? Number(text) : text)
export const list: Read = (text) => text.split(',').map((part) => part.trim())
/** `a=1,b=2` → `{ a: '1', b: '2' }` */
export const pairs = (text: string): Record<string, string> =>
  Object.fromEntries(
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '')
      .map((part) => [part.split('=')[0] ?? '', part.slice(part.indexOf('=') + 1)]),
  )
export const numbers: Read = (text) =>
  Object.fromEntries(Object.entries(pairs(text)).map(([name, value]) => [name, number(value)]))
/** A flag that is there is yes; its twin says 1 or 0. */
export const yes: Read = (text) =>
  ['1', 'true'].includes(text) ? true : ['', '0', 'false'].includes(text) ? false : text

export const oneOf = <const Words extends readonly string[]>(words: Words) =>
  Type.Unsafe<Words[number]>(Type.Enum([...words]))
export const wholeNumber = (least = 0, most = 999_999_999) => Type.Integer({ minimum: least, maximum: most })
/** Only names that there are: another one is a mistake of the writer, never passed over. */
export const named = <Value extends TSchema>(names: readonly string[], value: Value) =>
  Type.Object(
    Object.fromEntries(names.map((name) => [name, Type.Optional(value)])) as Record<
      string,
      ReturnType<typeof Type.Optional<Value>>
    >,
    { additionalProperties: false },
  )

/** Plain HTTP on this host only. No query and no fragment (OpenID Connect Discovery 4.1). */
export const safeAddress = String.raw`^(https://[^/?#\s]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?)(/[^?#\s]*)?$`

export const hasPort = (address: string): boolean => {
  const port = Number(/\d+$/.exec(address)?.[0])
  return port > 0 && port <= 65_535
}

/** An address, or a network by the length of its beginning. */
function isNetwork(text: string): boolean {
  const [address = '', length, ...more] = text.split('/')
  const bits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : 0
  const isLength = length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= bits)
  return bits > 0 && isLength && more.length === 0
}

const hasAddress = (allowed: Allowed): boolean => 'owner' in allowed || isNetwork(allowed.address)
export const address = Type.Refine(Type.String(), (text) => isIP(text) !== 0)
export const network = Type.Refine(Type.String(), isNetwork)
/** As `posture.ts` of the contract has it; its addresses are looked at besides. */
export const allowed = Type.Refine(Allowed, hasAddress)
