// Files by their hash, place after place, with more than one core.
import { statfs } from 'node:fs/promises'
import { onOwnDisks } from '../scanner.ts'
import { eachOnce, mounts, type Mount } from './mounts.ts'
import { shown } from './names.ts'
import { openPool } from './pool.ts'
import type { ByHash, FoundFile, Name, Search, Searched, Where } from './types.ts'
import { filesBelow, keyOf } from './walk.ts'

export interface SearchOptions {
  /** The quarantine's own. */
  readonly except: string
  /** Where to look, instead of everywhere; null for everywhere. */
  readonly within: readonly string[] | null
  /** Where malware starts from. */
  readonly startingPlaces: () => Promise<readonly string[]>
}

export function openSearch(options: SearchOptions): ByHash['files'] {
  return async (where, search) => {
    const all = await mounts()
    const { except, within } = options
    const places = await placesOf(where, options, all)
    if (places.length === 0) return { found: [], files: 0, isThrough: true }
    const mounted = new Set(all.map(({ place }) => keyOf(place)))
    const total = where === 'full' && within === null ? await filesOn(places) : null
    return look(places, { mounted, except: Buffer.from(except) }, search, total)
  }
}

const programs = ['/usr/bin', '/usr/sbin', '/bin', '/sbin', '/usr/lib', '/usr/libexec']

/** Where it is said in which places to look, everything is in those. */
async function placesOf(
  where: Where,
  { within, startingPlaces }: SearchOptions,
  all: readonly Mount[],
): Promise<readonly Name[]> {
  if (within !== null) return where === 'full' ? within.map((place) => Buffer.from(place)) : []
  switch (where) {
    case 'programs':
      return programs.map((place) => Buffer.from(place))
    case 'quick':
      return (await startingPlaces()).map((place) => Buffer.from(place))
    case 'full':
      return ownDisks(all)
  }
}

/** What cannot be written holds nothing that could be taken away. */
const ownDisks = (all: readonly Mount[]): readonly Name[] =>
  eachOnce(all.filter(({ type, isReadOnly }) => onOwnDisks.test(type) && !isReadOnly)).map(
    ({ place }) => place,
  )

/** About how many there are; null where nobody knows. */
async function filesOn(places: readonly Name[]): Promise<number | null> {
  const counts = await Promise.all(
    places.map((place) =>
      statfs(Buffer.from(place)).then(
        ({ files, ffree }) => files - ffree,
        () => 0,
      ),
    ),
  )
  const total = counts.reduce((sum, count) => sum + count, 0)
  return total > 0 ? total : null
}

async function look(
  places: readonly Name[],
  walk: { readonly mounted: ReadonlySet<string>; readonly except: Name },
  search: Search,
  total: number | null,
): Promise<Searched> {
  const { signal, withinMs } = search
  const found = new Map<string, FoundFile>()
  let files = 0
  const until = performance.now() + withinMs
  const pool = openPool(search, (looked) => {
    files += looked.count
    for (const file of looked.found) found.set(keyOf(file.path), file)
  })
  const result = (isThrough: boolean): Searched => ({ found: [...found.values()], files, isThrough })
  try {
    for (const place of places)
      for await (const path of filesBelow(place, walk)) {
        signal.throwIfAborted()
        if (performance.now() >= until) return result(false)
        search.look(total === null ? null : Math.min(1, files / total), shown(path))
        await pool.add(path)
      }
    const isThrough = await inTime(pool.drained(), { signal, withinMs: until - performance.now() })
    return result(isThrough)
  } finally {
    await pool.close()
  }
}

/** False where the time is over first. */
async function inTime(
  work: Promise<void>,
  { signal, withinMs }: { readonly signal: AbortSignal; readonly withinMs: number },
): Promise<boolean> {
  const over = Promise.withResolvers<boolean>()
  const abort = (): void => over.reject(signal.reason)
  const timer = setTimeout(() => over.resolve(false), Math.max(0, withinMs))
  signal.addEventListener('abort', abort)
  try {
    return await Promise.race([work.then(() => true), over.promise])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
    work.catch(() => undefined)
  }
}
