/** What a restriction has on disk. */
import { chmod, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolder, removeDrafts, syncFolder, unlessGone, writeDurably } from '../files.ts'
import { holdScript, hookOf, startScript, type Policy } from './policy.ts'

/** Where, and the name of the file systems that the daemon has mounted. */
export interface Place {
  readonly folder: string
  readonly source: string
}

export const hookIn = (source: string): string => join('/etc/dpkg/dpkg.cfg.d', source)

export const policyFolder = (folder: string): string => join(folder, 'policy')

const scripts = { 'start.sh': startScript, 'hold.sh': holdScript, foreign: '#!/bin/sh\n' }

/** The path of what no rule lets start, in a folder of this. */
export const foreignIn = (folder: string): string => join(folder, 'foreign')

/** Each with its text. */
export function filesOf({ folder, source }: Place, policy: Policy): [path: string, text: string][] {
  return [
    ...within(policyFolder(folder), policy),
    ...within(folder, scripts),
    [hookIn(source), hookOf(folder, source)],
  ]
}

/** The first that is otherwise; null where none is. */
export async function firstOther(place: Place, policy: Policy): Promise<string | null> {
  for (const [path, text] of filesOf(place, policy)) if ((await textOf(path)) !== text) return path
  return null
}

/** In a new folder: by that, a daemon shows whether it was started with this one. */
export async function writePolicy({ folder, source }: Place, policy: Policy): Promise<void> {
  const draft = join(folder, 'policy.new')
  await removeDrafts(folder, Object.keys(scripts))
  await rm(draft, { recursive: true, force: true })
  await mkdir(draft, { mode: 0o700 })
  for (const [name, text] of Object.entries(policy)) await writeDurably(join(draft, name), text)
  for (const [name, text] of Object.entries(scripts)) await writeDurably(join(folder, name), text)
  await chmod(foreignIn(folder), 0o700)
  await makeFolder(join(folder, 'run'))
  await rm(policyFolder(folder), { recursive: true, force: true })
  await rename(draft, policyFolder(folder))
  await syncFolder(folder)
  await makeFolder(dirname(hookIn(source)))
  // dpkg reads no file with a point in its name: a draft is none to it.
  await writeDurably(hookIn(source), hookOf(folder, source), 0o644)
}

/** All but what is known of packages. */
export async function removePolicy({ folder, source }: Place): Promise<void> {
  await rm(hookIn(source), { force: true })
  for (const name of ['policy', 'policy.new', 'run', ...Object.keys(scripts)])
    await rm(join(folder, name), { recursive: true, force: true })
}

const within = (where: string, files: object): [string, string][] =>
  Object.entries(files).map(([name, text]) => [join(where, name), String(text)])

export const textOf = (path: string): Promise<string | null> => readFile(path, 'utf8').catch(unlessGone)
