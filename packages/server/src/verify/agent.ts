/** What an agent's data folder remembers of the server: it lies on another machine, out of reach of whoever owns the database. */
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { canonical, type ChainHead } from '@countermand/contract'
import { digestOf } from '../store/events.ts'
import { checkClaim, type Digests } from './chain.ts'
import { Fault } from './fault.ts'
import { thumbprintOf, type DeviceKey } from './keys.ts'
import type { Restores } from './restores.ts'
import type { Incarnation } from './statements.ts'

/** The agent names its files by the beginning of a key's thumbprint. */
const prefixOf = (thumbprint: string): string => thumbprint.slice(0, 16)

interface Memory {
  readonly file: string
  readonly prefix: string
}

/** By key: the head of our chain, how many of its news we have acknowledged, and of which epoch we were then. */
interface Sync extends Memory {
  readonly head: ChainHead | null
  readonly acknowledged: number
  readonly epoch: string | null
}

export interface Agent {
  readonly folder: string
  readonly machineId: string
  readonly thumbprint: string
  readonly syncs: readonly Sync[]
  /** The items of news that it still has. */
  readonly news: readonly (Memory & { readonly n: number; readonly digest: string })[]
}

/** One that was given up has no key any more, and says which it was. */
interface Identity {
  readonly machineId: string
  readonly key?: object
  readonly offboarded?: { readonly key: string }
}

/** Read before the database: what it remembers then must be there. @throws Error for a folder that is no agent's. */
export async function readAgent(folder: string): Promise<Agent> {
  const identity = await readJson<Identity>(join(folder, 'identity.json'))
  if (identity === null)
    throw new Error(`There is no identity.json in ${folder}: it is not the data folder of an agent.`)
  const { machineId, key = {}, offboarded } = identity
  const names = await readdir(folder)
  const syncs = await Promise.all(
    matching(names, /^sync-(.{16})\.json$/).map(async ([name, prefix]) => {
      const file = join(folder, name)
      const kept = await readJson<{
        serverHead: ChainHead | null
        acknowledged: number
        epoch: string | null
      }>(file)
      const { serverHead = null, acknowledged = 0, epoch = null } = kept ?? {}
      return { file, prefix, head: serverHead, acknowledged, epoch }
    }),
  )
  const news = await Promise.all(
    matching(names, /^news-(.{16})$/).map(([name, prefix]) => readNews(join(folder, name), prefix)),
  )
  return { folder, machineId, thumbprint: offboarded?.key ?? thumbprintOf(key), syncs, news: news.flat() }
}

async function readNews(folder: string, prefix: string): Promise<Agent['news'][number][]> {
  const files = (await readdir(folder))
    .filter((name) => name.endsWith('.json'))
    .map((name) => join(folder, name))
  const items = await Promise.all(files.map((file) => readJson<{ n: number }>(file)))
  return items.flatMap((item, at) =>
    item === null
      ? []
      : [{ file: files[at] ?? folder, prefix, n: item.n, digest: digestOf(canonical(item)) }],
  )
}

const matching = (names: readonly string[], pattern: RegExp): (readonly [string, string])[] =>
  names.flatMap((name) => {
    const prefix = pattern.exec(name)?.[1]
    return prefix === undefined ? [] : [[name, prefix] as const]
  })

/** Null where there is no such file: a running agent removes what has been acknowledged. */
async function readJson<Value>(file: string): Promise<Value | null> {
  try {
    const value: Value = JSON.parse(await readFile(file, 'utf8'))
    return value
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return null
    throw new Error(`${file} cannot be read`, { cause: thrown })
  }
}

interface Kept {
  readonly digests: Digests
  readonly keys: readonly DeviceKey[]
  readonly restores: Restores
}

/** The head that it was given last must still be in the chain. @throws Fault */
export function checkHeads({ folder, thumbprint, syncs }: Agent, { digests, keys, restores }: Kept): void {
  for (const { file, prefix, head, epoch } of syncs) {
    if (restores.explainHead(epoch, Infinity)) continue
    if (head !== null && isKnown(prefix, keys)) checkClaim(digests, { head, by: `the agent's ${file}` })
  }
  if (keys.at(-1)?.thumbprint === thumbprint) return
  const by = `the agent's ${join(folder, 'identity.json')}`
  if (keys.some((key) => key.thumbprint === thumbprint)) {
    const what =
      'its key is a former one: the device was enrolled anew elsewhere, or by somebody who is not the device'
    throw new Fault('added row', by, what)
  }
  throw new Fault('missing row', by, 'no event tells that its key was enrolled')
}

const isKnown = (prefix: string, keys: readonly DeviceKey[]): boolean =>
  keys.some(({ thumbprint }) => prefixOf(thumbprint) === prefix)

/** What was acknowledged to it must be kept, in its own words. @throws Fault */
export function checkNews(
  { syncs, news }: Agent,
  said: ReadonlyMap<string, Incarnation>,
  restores: Restores,
): void {
  for (const [thumbprint, by] of said) {
    const own = ({ prefix }: Memory): boolean => prefix === prefixOf(thumbprint)
    for (const { file, acknowledged } of syncs.filter(own)) {
      if (acknowledged <= by.news.sequence || restores.explainGap(by.at, Infinity)) continue
      const what = `its news were acknowledged up to ${acknowledged}, and are kept up to ${by.news.sequence}`
      throw new Fault('truncated tail', `the agent's ${file}`, what)
    }
    for (const { file, n, digest } of news.filter(own)) {
      const kept = by.known.get(n)
      if (kept === undefined || kept === digest) continue
      throw new Fault('rewritten history', `the agent's ${file}`, `news ${n} are kept with other words`)
    }
  }
}
