import { readFileSync } from 'node:fs'
import { packageItems } from './items/index.ts'
import type { Item } from './item.ts'
import { wordsText } from './words.ts'

/** Of what an item writes this much is kept, from its beginning. */
export const itemCap = 20 * 1024 * 1024

/** Where the script writes how each item went. */
export const tableName = 'items.tsv'

const body = readFileSync(new URL('script.sh', import.meta.url), 'utf8')

/**
 * The text of a shell script that gathers a package in its current folder, or in `folder`: a file for each item, copies below
 * `files/`, and the table of how each went. It runs in dash, bash and busybox, needs nothing but what they need, and ends with
 * 0 when it came to the last item, whatever became of each.
 */
export function collectScript(
  itemLimitMs: number,
  options: { readonly folder?: string; readonly items?: readonly Item[]; readonly cap?: number } = {},
): string {
  const { folder, items = packageItems, cap = itemCap } = options
  return [
    ...(folder === undefined ? [] : [`cd ${quoted(folder)} || exit 1`]),
    `limit=${Math.ceil(itemLimitMs / 1000)} cap=${cap} total=${items.length}`,
    `words=${quoted(wordsText)}`,
    body,
    ...items.map(lineOf),
    'exit 0\n',
  ].join('\n')
}

const lineOf = ({ name, ways }: Item): string =>
  ['item', name, ...ways.flatMap(({ needs = '', command }) => [quoted(needs), quoted(command)])].join(' ')

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`
