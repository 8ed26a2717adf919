// Whose a file is, by the lists of the package managers.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { codeOf, unlessGone } from '../files.ts'
import type { Name } from './types.ts'

const run = promisify(execFile)
const dpkg = '/var/lib/dpkg'
const rpm = ['/usr/bin/rpm', '/bin/rpm']

/** Of these paths the first that belongs to a package, in plain words; null where none does. */
export async function whosePackage(paths: readonly Name[], folder: string = dpkg): Promise<string | null> {
  // No list names a path that is no text, or has a line's end in it.
  const named = paths.map((path) => Buffer.from(path).toString('utf8')).filter((path) => !path.includes('\n'))
  if (named.length === 0) return null
  return (await byDpkg(named, folder)) ?? (await byRpm(named))
}

/** What is in /usr/bin may stand as /bin in a list that is older than the merge of the two, and the other way round. */
const spellings = (path: string): readonly string[] => [
  path,
  ...(/^\/usr\/(s?bin|lib\w*)\//.test(path) ? [path.slice('/usr'.length)] : []),
  ...(/^\/(s?bin|lib\w*)\//.test(path) ? [`/usr${path}`] : []),
]

async function byDpkg(paths: readonly string[], folder: string): Promise<string | null> {
  const info = join(folder, 'info')
  const lists = ((await readdir(info).catch(unlessGone)) ?? []).filter((name) => name.endsWith('.list'))
  if (lists.length === 0) return null
  const diverted = await diversions(folder)
  const wanted = paths.flatMap((path) =>
    spellings(path).flatMap((spelling) =>
      [spelling, ...(diverted.get(spelling) ?? [])].map((as) => ({ path, as })),
    ),
  )
  for (const list of lists) {
    const text = await readFile(join(info, list), 'utf8').catch(unlessGone)
    const lines = `\n${text ?? ''}\n`
    const found = wanted.find(({ as }) => lines.includes(`\n${as}\n`))
    if (found !== undefined) return `${found.path} belongs to the package ${list.slice(0, -'.list'.length)}`
  }
  return null
}

/** Where a package's file lies under another name: by that name, those in the lists. */
async function diversions(folder: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const lines = ((await readFile(join(folder, 'diversions'), 'utf8').catch(unlessGone)) ?? '').split('\n')
  const found = new Map<string, string[]>()
  for (let at = 0; at + 1 < lines.length; at += 3) {
    const [from = '', to = ''] = lines.slice(at, at + 2)
    found.set(to, [...(found.get(to) ?? []), from])
  }
  return found
}

async function byRpm(paths: readonly string[]): Promise<string | null> {
  const program = rpm.find((path) => existsSync(path))
  if (program === undefined) return null
  for (const path of paths) {
    try {
      const { stdout } = await run(program, ['-qf', '--', path], {
        env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
      })
      return `${path} belongs to the package ${stdout.trim().split('\n')[0] ?? ''}`
    } catch (thrown) {
      // It says so by its status.
      if (codeOf(thrown) !== '1') throw thrown
    }
  }
  return null
}
