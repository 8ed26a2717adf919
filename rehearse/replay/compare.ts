/** What an answer says otherwise than the recorded one, apart from what is never the same twice. Pure, but for the ids it learns. */

/** A time, or an id: another one each time. */
const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g
const guid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
const hex40 = /\b[0-9a-f]{40}\b/g

/** Members whose value tells of the way and not of the end. */
const passing = [
  'version',
  'attempt',
  'progress',
  'requestId',
  'sequence',
  'digest',
  'statement',
  'lastIpAddress',
]

export interface Difference {
  /** Where in the answer: `value[0].status`. */
  readonly at: string
  readonly recorded: unknown
  readonly now: unknown
}

/** Recorded ids, and which they are now. */
export class Ids {
  private readonly known = new Map<string, string>()

  learn(recorded: string, now: string): void {
    if (!this.known.has(recorded)) this.known.set(recorded, now)
  }

  /** With the ids of now in the place of those of then, as far as they are known. */
  translate(text: string): string {
    const now = (id: string): string => this.known.get(id) ?? id
    return text.replaceAll(guid, now).replaceAll(hex40, now)
  }

  /** Takes from two texts that stand for each other what was what. */
  compare(recorded: string, now: string): void {
    for (const pattern of [guid, hex40]) {
      const [then, these] = [recorded.match(pattern) ?? [], now.match(pattern) ?? []]
      if (then.length === these.length)
        for (const [index, id] of then.entries()) this.learn(id, these[index] ?? id)
    }
  }
}

export function differencesOf(recorded: unknown, now: unknown, ids: Ids, at = ''): readonly Difference[] {
  if (Array.isArray(recorded) && Array.isArray(now)) {
    if (recorded.length !== now.length)
      return [{ at: `${at}.length`, recorded: recorded.length, now: now.length }]
    return recorded.flatMap((each, index) => differencesOf(each, now[index], ids, `${at}[${index}]`))
  }
  if (isRecord(recorded) && isRecord(now)) {
    const names = [...new Set([...Object.keys(recorded), ...Object.keys(now)])]
    return names
      .filter((name) => !passing.includes(name))
      .flatMap((name) => differencesOf(recorded[name], now[name], ids, at === '' ? name : `${at}.${name}`))
  }
  return isSame(recorded, now, ids) ? [] : [{ at, recorded, now }]
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function isSame(recorded: unknown, now: unknown, ids: Ids): boolean {
  if (typeof recorded !== 'string' || typeof now !== 'string') return recorded === now
  ids.compare(recorded, now)
  return withoutPlace(ids.translate(recorded)) === withoutPlace(now)
}

/** Of an address its path only, and of a link by itself not what gives leave. */
const withoutPlace = (text: string): string =>
  /^https?:\/\//.test(text)
    ? text.replace(/^https?:\/\/[^/]+/, '').replace(/(\/download\/).*/, '$1')
    : text.replaceAll(time, 'then').replaceAll(/\bin \d+ seconds?\b/g, 'in some seconds')
