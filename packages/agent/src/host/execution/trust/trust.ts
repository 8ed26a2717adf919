/** What this host's packages have installed, kept on disk with what it depends on. */
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { makeFolder, removeDrafts, unlessGone, writeDurably } from '../../files.ts'
import { dpkgStatus } from '../obstacle.ts'
import { noSurvey, type Survey, type Trusted } from './survey.ts'

/** As written by this form of the program; another one is not read. */
const form = 1

interface Kept {
  readonly form: number
  readonly stamp: string
  readonly survey: Survey
}

export interface Trust {
  /** Works it out if packages have changed since it was; says whether they had. One at a time; ends with the signal. */
  refresh(signal?: AbortSignal): Promise<boolean>
  /** What was worked out last, perhaps by an earlier agent; null where it never was. */
  latest(): Promise<readonly Trusted[] | null>
}

export function openTrust({
  folder,
  log,
  root = '',
}: {
  readonly folder: string
  readonly log: (line: string) => void
  readonly root?: string
}): Trust {
  const file = join(folder, 'trust.json')
  let kept: Promise<Kept | null> | null = null
  let working: Promise<boolean> | null = null
  const first = async (): Promise<Kept | null> => {
    // Not before each writing: another agent may be at it just now.
    await removeDrafts(folder, [basename(file)]).catch(unlessGone)
    return readKept(file)
  }
  const read = (): Promise<Kept | null> => (kept ??= first())
  const refresh = async (signal?: AbortSignal): Promise<boolean> => {
    const stamp = await stampOf(root)
    const former = await read()
    if (former?.stamp === stamp) return false
    const from = performance.now()
    const found = await inThread({ root, former: former?.survey ?? noSurvey }, signal)
    await makeFolder(folder)
    await writeDurably(file, JSON.stringify({ form, stamp, survey: found } satisfies Kept))
    kept = Promise.resolve({ form, stamp, survey: found })
    log(`${wordsFor(found)} (${Math.round((performance.now() - from) / 100) / 10} s)`)
    return true
  }
  return {
    refresh: (signal) => (working ??= refresh(signal).finally(() => (working = null))),
    latest: async () => (await read())?.survey.trusted ?? null,
  }
}

/** As fapolicyd reads it, under the sum of all that follows. */
export function listOf(trusted: readonly Trusted[]): string {
  const lines = trusted.map(({ path, size, sha256 }) => `${path} ${size} ${sha256}\n`)
  const list = lines.toSorted().join('')
  return `# ${sumOf(list)}\n${list}`
}

/** Is it as it was written? */
export function isWhole(list: string): boolean {
  const end = list.indexOf('\n')
  return list.slice(0, end) === `# ${sumOf(list.slice(end + 1))}`
}

const sumOf = (text: string): string => createHash('sha256').update(text).digest('hex')

async function stampOf(root: string): Promise<string> {
  const { mtimeMs, size, ino } = await stat(join(root, dpkgStatus))
  return `${mtimeMs} ${size} ${ino}`
}

async function readKept(file: string): Promise<Kept | null> {
  const text = await readFile(file, 'utf8').catch(unlessGone)
  if (text === null) return null
  try {
    const read: Kept = JSON.parse(text)
    return read.form === form ? read : null
  } catch {
    return null
  }
}

function inThread(workerData: { root: string; former: Survey }, signal?: AbortSignal): Promise<Survey> {
  const worker = new Worker(new URL('thread.ts', import.meta.url), { workerData })
  const end = (): void => void worker.terminate()
  signal?.addEventListener('abort', end)
  return new Promise<Survey>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('The survey of this host was ended.')))
  }).finally(() => signal?.removeEventListener('abort', end))
}

const shown = 5

function wordsFor({ trusted, changed, unlistable }: Survey): string {
  const words = [`${trusted.length} programs of this host's packages are known`]
  if (changed.length > 0)
    words.push(`${changed.length} are not as their package brought them: ${named(changed)}`)
  if (unlistable.length > 0) words.push(`${unlistable.length} have a name that cannot be listed`)
  return words.join('; ')
}

const named = (paths: readonly string[]): string =>
  paths.slice(0, shown).join(', ') + (paths.length > shown ? ', …' : '')
