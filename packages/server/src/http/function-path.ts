/** What stands in the brackets of a function in a path: `findbyip(ip='192.0.2.7',timestamp=2026-02-03T04:05:06Z)`. */
import { SocketAddress, isIPv4, isIPv6 } from 'node:net'
import { Refusal } from '../core/errors.ts'

/** In any order, names in any case, values with quotes or without. @throws Refusal InvalidInput for what is no list of them */
export function readArguments(text: string): ReadonlyMap<string, string> {
  const pairs = text.split(',').map((pair) => {
    const [, name, value] = /^\s*(\w+)\s*=\s*(.*?)\s*$/s.exec(pair) ?? []
    if (name === undefined || value === undefined)
      throw new Refusal(
        'InvalidInput',
        `'${text.slice(0, 200)}' is no list of arguments: name=value is expected.`,
      )
    return [name.toLowerCase(), /^'(.*)'$/s.exec(value)?.[1] ?? value] as const
  })
  return new Map(pairs)
}

/** @throws Refusal MissingRequiredParameter */
export function needed(found: ReadonlyMap<string, string>, name: string): string {
  const value = found.get(name)
  if (value !== undefined && value !== '') return value
  throw new Refusal('MissingRequiredParameter', `The required parameter ${name} is missing.`)
}

/** As hosts write it: IPv6 in small letters and as short as can be. @throws Refusal InvalidIpAddress */
export function readAddress(text: string): string {
  if (isIPv4(text)) return text
  // A zone names an interface, and means something on one host only.
  if (isIPv6(text) && !text.includes('%')) return new SocketAddress({ address: text, family: 'ipv6' }).address
  throw new Refusal('InvalidIpAddress', `'${text.slice(0, 100)}' is not an IP address.`)
}

const isoTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?(Z|[+-]\d\d:\d\d)?$/i

/** ISO 8601, UTC where it says nothing else. @throws Refusal InvalidInput */
export function readTime(text: string): Date {
  const hasZone = /(Z|T.*[+-]\d\d:\d\d)$/i.test(text)
  const isDay = /^\d{4}-\d\d-\d\dZ$/i.test(text)
  const time = new Date(isDay ? text.slice(0, -1) : hasZone || !text.includes('T') ? text : `${text}Z`)
  if (isoTime.test(text) && !Number.isNaN(time.getTime())) return time
  throw new Refusal(
    'InvalidInput',
    `'${text.slice(0, 100)}' is not a time: ISO 8601 is expected, for example 2026-02-03T04:05:06Z.`,
  )
}
