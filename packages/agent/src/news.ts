/** What happened here: numbered, chained, one file an item, kept until the server has acknowledged it. */
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  canonical,
  maxNewsPerStatement,
  type ChainHead,
  type News,
  type NewsItem,
  type NewsKind,
} from '@countermand/contract'
import { makeFolder, removeDrafts, removeFolder, syncFolder, writeDurably } from './host/files.ts'
import { readJson } from './journal.ts'
import { killPoint } from './kill-points.ts'

export const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64url')

export interface NewsLog {
  /** On disk when it resolves. */
  tell(news: News): Promise<void>
  /** What the server has not acknowledged yet, oldest first, as much as one statement holds. */
  pending(): readonly NewsItem[]
  /** Is anything of this action unsaid, or this very word of it? */
  isPending(actionId: string, kind?: NewsKind): boolean
  /** The last item that the server has acknowledged; its digest is the key's thumbprint before the first. */
  head(): ChainHead
  acknowledge(upTo: number): Promise<void>
}

/** `genesis` stands before the first item: the thumbprint of the device's key. `acknowledged`: what the server has. */
export async function openNews(dataFolder: string, genesis: string, acknowledged: number): Promise<NewsLog> {
  // Another key is another chain; what an earlier incarnation has said stays as it is.
  const folder = join(dataFolder, `news-${genesis.slice(0, 16)}`)
  await makeFolder(folder)
  await removeDrafts(folder)
  const fileOf = (n: number): string => join(folder, `${String(n).padStart(12, '0')}.json`)
  const kept = await itemsIn(folder)
  let last = kept.at(-1) ?? null
  let unsaid = kept.filter(({ n }) => n > acknowledged)
  let said = kept.filter(({ n }) => n <= acknowledged)
  // Of what the server has, the last is kept until a later one is: the chain is shown to go on from it.
  let heard = said.at(-1) ?? null
  // One at a time: an item carries the digest of the one before.
  let writing: Promise<void> = Promise.resolve()
  const append = async (news: News): Promise<void> => {
    const previous = last === null ? genesis : digestOf(canonical(last))
    const item = { n: (last?.n ?? 0) + 1, previous, at: new Date().toISOString(), ...news }
    await writeDurably(fileOf(item.n), JSON.stringify(item))
    killPoint('news-written')
    last = item
    unsaid = [...unsaid, item]
  }
  return {
    tell: (news) => {
      const told = writing.then(() => append(news))
      writing = told.catch(() => undefined)
      return told
    },
    pending: () => unsaid.slice(0, maxNewsPerStatement),
    isPending: (actionId, kind) =>
      unsaid.some((item) => item.action === actionId && (kind === undefined || item.kind === kind)),
    head: () =>
      heard === null
        ? { sequence: 0, digest: genesis }
        : { sequence: heard.n, digest: digestOf(canonical(heard)) },
    acknowledge: async (upTo) => {
      said = [...said, ...unsaid.filter(({ n }) => n <= upTo)]
      unsaid = unsaid.filter(({ n }) => n > upTo)
      heard = said.at(-1) ?? heard
      const done = said.filter((item) => item !== heard)
      said = said.filter((item) => item === heard)
      for (const { n } of done) await removeFolder(fileOf(n))
    },
  }
}

async function itemsIn(folder: string): Promise<readonly NewsItem[]> {
  await syncFolder(folder)
  const items: NewsItem[] = []
  for (const name of (await readdir(folder)).filter((file) => file.endsWith('.json')).toSorted()) {
    const item = await readJson<NewsItem>(join(folder, name))
    if (item !== null) items.push(item)
  }
  return items
}
