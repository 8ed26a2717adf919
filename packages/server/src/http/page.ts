/** The query options of lists (`wire.md` 7): read, checked against a whitelist, and written again as the link to the next page. */
import type { ListQuery, Listed, Place } from '../app/rows.ts'
import { Refusal } from '../core/errors.ts'
import { checkFilter, checkOrder, checkSelect } from '../core/odata/check.ts'
import { parseFilter, parseOrder, parseSelect } from '../core/odata/parse.ts'
import type { Condition, Fields, OrderKey, Value } from '../core/odata/tree.ts'
import { contextOf } from './wire.ts'

/** `wire.md` 7: the largest page, and the page when none is asked for. */
export const largest = 10_000

/** What a list is of. */
export interface Collection {
  /** Ends the context: `MachineActions`. */
  readonly name: string
  readonly path: string
  readonly fields: Fields
  /** Keys of an item, in order. */
  readonly keys: readonly string[]
}

export interface Asked {
  readonly query: ListQuery
  /** Null for all. */
  readonly select: readonly string[] | null
  /** How many more are wanted after this page; null for all that there are. */
  readonly rest: number | null
  /** Options by their names in small letters. */
  readonly options: ReadonlyMap<string, string>
}

const known = ['$filter', '$orderby', '$top', '$skip', '$count', '$select', '$skiptoken'] as const

/**
 * @throws Refusal ODataError for an option that is not known yet: a filter that is passed over would answer what was not asked
 * for, and somebody might cancel all of it. The same of one that is there twice.
 */
export function refuseUnknownOptions(query: URLSearchParams, options: readonly string[]): void {
  const given = [...query.keys()].filter((name) => name.startsWith('$'))
  const unknown = given.find((name) => !options.includes(name.toLowerCase()))
  if (unknown !== undefined) {
    const instead = options.length === 0 ? '' : ` ${options.join(', ')} are.`
    throw new Refusal('ODataError', `The query option ${unknown} is not supported yet.${instead}`)
  }
  const names = given.map((name) => name.toLowerCase())
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Refusal('ODataError', `The query option ${twice} is given twice.`)
}

function optionsOf(query: URLSearchParams, names: readonly string[]): ReadonlyMap<string, string> {
  refuseUnknownOptions(query, names)
  const given = [...query].filter(([name]) => name.startsWith('$'))
  return new Map(given.map(([name, value]) => [name.toLowerCase(), value]))
}

/** @throws Refusal ODataError, naming the option and, within a text, the position */
export function readList(query: URLSearchParams, collection: Collection, most = largest): Asked {
  const options = optionsOf(query, known)
  const { fields, keys } = collection
  const selected = within(options, '$select', (text) => checkSelect(parseSelect(text), keys)) ?? []
  const order = within(options, '$orderby', (text) => checkOrder(parseOrder(text), fields)) ?? []
  const wanted = wholeNumber(options, '$top')
  const top = Math.min(wanted ?? most, most)
  return {
    query: {
      filter: readFilter(options, fields),
      order,
      top,
      skip: wholeNumber(options, '$skip') ?? 0,
      after: within(options, '$skiptoken', (text) => readPlace(text, order)),
      counts: readCount(options),
    },
    select: selected.length === 0 ? null : selected,
    rest: wanted === null ? null : wanted - top,
    options,
  }
}

/** Of a list that is asked for in another way, and takes no more. @throws Refusal ODataError */
export function readPage(query: URLSearchParams): { readonly top: number; readonly skip: number } {
  const options = optionsOf(query, ['$top', '$skip'])
  const top = Math.min(wholeNumber(options, '$top') ?? largest, largest)
  return { top, skip: wholeNumber(options, '$skip') ?? 0 }
}

/** What `/$count` takes: all other options change nothing about how many there are. @throws Refusal ODataError */
export const readCounting = (query: URLSearchParams, { fields }: Collection): ListQuery => ({
  filter: readFilter(optionsOf(query, ['$filter']), fields),
  order: [],
  top: 0,
  skip: 0,
  after: null,
  counts: true,
})

type Options = Asked['options']

const readFilter = (options: Options, fields: Fields): Condition | null =>
  within(options, '$filter', (text) => checkFilter(parseFilter(text), fields))

function within<T>(options: Options, name: string, read: (text: string) => T): T | null {
  const text = options.get(name)
  if (text === undefined) return null
  try {
    return read(text)
  } catch (thrown) {
    if (thrown instanceof Refusal) throw new Refusal(thrown.code, `Invalid ${name}: ${thrown.message}.`)
    throw thrown
  }
}

function wholeNumber(options: Options, name: string): number | null {
  const text = options.get(name)
  if (text === undefined) return null
  if (!/^\d{1,9}$/.test(text))
    throw new Refusal('ODataError', `Invalid value '${text}' for ${name}: a whole number from 0 is expected.`)
  return Number(text)
}

function readCount(options: Options): boolean {
  const text = options.get('$count')
  if (text === undefined) return false
  const isTrue = text.toLowerCase() === 'true'
  if (!isTrue && text.toLowerCase() !== 'false')
    throw new Refusal('ODataError', `Invalid value '${text}' for $count: true or false is expected.`)
  return isTrue
}

/** RFC 7240's `Prefer: odata.maxpagesize=N`: smaller pages, which then have links to the next. */
export function largestOf(prefer: string | readonly string[] | undefined): number {
  const said = /(?:^|[,;\s])(?:odata\.)?maxpagesize\s*=\s*"?(\d{1,9})\b/i.exec(String(prefer ?? ''))?.[1]
  return said === undefined || Number(said) === 0 ? largest : Math.min(Number(said), largest)
}

/** A place as clients hold it. It says nothing that the page before did not say, so it is neither sealed nor secret. */
const writePlace = ({ n, keys }: Place): string =>
  Buffer.from(JSON.stringify([n, ...keys])).toString('base64url')

function readPlace(text: string, order: readonly OrderKey[]): Place {
  const [n, ...keys] = listIn(text)
  const isPlace = typeof n === 'number' && Number.isSafeInteger(n) && keys.length === order.length
  if (!isPlace || !keys.every(isValue) || !keys.every((key, index) => fits(key, order[index])))
    throw new Refusal('ODataError', 'it is of another list')
  return { n, keys }
}

function listIn(text: string): readonly unknown[] {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    return Array.isArray(parsed) ? parsed : []
  } catch {
    return []
  }
}

const isValue = (key: unknown): key is Value =>
  key === null || typeof key === 'number' || (typeof key === 'string' && !key.includes('\0'))

function fits(key: Value, order: OrderKey | undefined): boolean {
  const isNumber = order?.type === 'number' || order?.type === 'time'
  return key === null || (typeof key === 'number') === isNumber
}

/** The envelope around a page. `base` is the host that was asked. */
export function envelopeOf<Item extends object>(
  { name, path }: Collection,
  { query, select, rest, options }: Asked,
  { listed, base }: { readonly listed: Omit<Listed<unknown>, 'items'>; readonly base: string },
  value: readonly Item[],
) {
  const { next, count } = listed
  const isMore = next !== null && rest !== 0
  const more = new Map(options)
  more.delete('$skip')
  if (rest !== null) more.set('$top', String(rest))
  if (next !== null) more.set('$skiptoken', writePlace(next))
  const text = [...more].map(([option, said]) => `${option}=${encodeURIComponent(said)}`).join('&')
  return {
    '@odata.context': contextOf(base, name),
    ...(query.counts && count !== null && { '@odata.count': count }),
    value: select === null ? [...value] : value.map((item) => pick(item, select)),
    ...(isMore && { '@odata.nextLink': `${base}${path}?${text}` }),
  }
}

function pick<Item extends object>(item: Item, keys: readonly string[]): Item {
  const picked = Object.entries(item).filter(([key]) => keys.includes(key))
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- who selects knows what is left
  return Object.fromEntries(picked) as Item
}
