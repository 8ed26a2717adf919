/** Isolation by nftables: one table of ours, in all of the families and hooks by which a host speaks. */
import { createHash } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder, removeDrafts, unlessGone, writeDurably } from '../files.ts'
import { installLine } from '../install-line.ts'
import { findProgram, run, underLock } from '../programs.ts'
import { openOwners, type Owners } from './owners.ts'
import { planOf, type Plan } from './plan.ts'
import { rulesOf, undoOf } from './rules.ts'
import type { Barrier, Firewall } from './types.ts'
import { watchRules } from './watch.ts'

interface Parts {
  readonly table: string
  readonly folder: string
  readonly log: (line: string) => void
  readonly owners: Owners
  readonly expected: Map<string, Wanted>
}

/** A text, and what nft of this host makes of it when it is asked. */
interface Wanted {
  readonly text: string
  readonly listing: string
}

interface Programs {
  readonly nft: string
  readonly flock: string
  readonly unshare: string
}

/** `name` tells agents of one host apart; `folder` is for this alone, and made when it is needed. */
export function openFirewall(options: {
  readonly name: string
  readonly folder: string
  readonly log: (line: string) => void
}): Firewall {
  const { name, folder, log } = options
  const parts = { table: tableOf(name), folder, log, owners: openOwners(log), expected: new Map() }
  return {
    lack: () => Promise.resolve(lack()),
    apply: (barrier) => (barrier === null ? lift(parts) : putUp(parts, barrier)),
    difference: (barrier) => (barrier === null ? leftOver(parts) : differenceFrom(parts, barrier)),
    watch: (changed) => watchRules(changed, log),
  }
}

/** Names that would become the same are told apart by a few digits. */
function tableOf(name: string): string {
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9_]/g, '_')
  const digits = createHash('sha256').update(name).digest('hex').slice(0, 8)
  return `countermand_${plain === name ? plain.slice(0, 60) : `${plain.slice(0, 51)}_${digits}`}`
}

const packages = [
  ['nft', 'nftables'],
  ['flock', 'util-linux'],
  ['unshare', 'util-linux'],
] as const

function lack(): string | null {
  const missing = new Set<string>()
  for (const [name, brings] of packages) if (findProgram(name) === null) missing.add(brings)
  if (missing.size === 0) return null
  return installLine(() => [...missing]) ?? `the packages ${[...missing].join(' and ')} of this system`
}

function programs(): Programs {
  const [nft, flock, unshare] = ['nft', 'flock', 'unshare'].map(findProgram)
  if (nft && flock && unshare) return { nft, flock, unshare }
  throw new Error(`To be isolated, this host needs: ${lack()}`)
}

async function putUp(parts: Parts, barrier: Barrier): Promise<void> {
  const { table, folder } = parts
  const tools = programs()
  const plan = await planOf(barrier, (name) => parts.owners.ask(name))
  const wanted = await expectedOf(parts, plan, tools)
  await makeFolder(folder)
  await underLock({ flock: tools.flock, path: lockOf(folder) }, async (held) => {
    await removeDrafts(folder)
    const former = await listed(tools.nft, table)
    await keepText(folder, wanted.text)
    // Nothing is loaded anew without need: whoever watches would be called for it.
    if (former === wanted.listing) return
    try {
      await load(tools.nft, ['-f', rulesFileOf(folder)], { held })
      const now = await listed(tools.nft, table)
      if (now === wanted.listing) return
      // Another nft than before may print it otherwise: the next try asks it anew.
      parts.expected.clear()
      await load(tools.nft, ['-f', '-'], { held, fed: undoOf(table) + (former ?? '') })
      throw new Error(
        `The kernel has other rules than were loaded (${firstDifference(wanted.listing, now)}).`,
      )
    } catch (thrown) {
      await keepText(folder, former === null ? null : undoOf(table) + former).catch((also: unknown) =>
        parts.log(`the file of the rules is of others than stand: ${String(also)}`),
      )
      throw thrown
    }
  })
}

/** Asks for no room on the disk: a full one does not keep a host isolated. */
async function lift(parts: Parts): Promise<void> {
  const { table, folder } = parts
  // Where nothing was ever put up, nothing is needed to see that nothing stands.
  if ((await leftOver(parts)) === null && !(await hasText(folder))) return
  const { nft, flock } = programs()
  await makeFolder(folder)
  await underLock({ flock, path: lockOf(folder) }, async (held) => {
    await load(nft, [undoOf(table)], { held })
    if ((await listed(nft, table)) !== null) throw new Error(`The table inet ${table} is still there.`)
    await rm(rulesFileOf(folder), { force: true }).catch((thrown: unknown) =>
      parts.log(`the rules are lifted, their file is left: ${String(thrown)}`),
    )
  })
}

async function leftOver({ table, folder }: Parts): Promise<string | null> {
  try {
    const { nft } = programs()
    const now = await listed(nft, table)
    return now === null ? null : `The table inet ${table} stands, and this host is not to be isolated.`
  } catch (thrown) {
    if (await hasText(folder)) throw thrown
    return null
  }
}

async function differenceFrom(parts: Parts, barrier: Barrier): Promise<string | null> {
  const tools = programs()
  const plan = await planOf(barrier, (name) => parts.owners.remembered(name))
  const { listing } = await expectedOf(parts, plan, tools)
  const now = await listed(tools.nft, parts.table)
  if (now === listing) return null
  if (now === null) return `The table inet ${parts.table} is missing.`
  return `The rules in the table inet ${parts.table} are others than they should be (${firstDifference(listing, now)}).`
}

const keptListings = 8

/**
 * What nft prints is not what it read, and differs by version: so the same text is loaded in a network namespace of its own first,
 * where nft refuses what it does not understand before anything is changed.
 */
async function expectedOf({ table, expected }: Parts, plan: Plan, tools: Programs): Promise<Wanted> {
  const texts = [true, false].map((isGenerationIn) => rulesOf(table, plan, { isGenerationIn }))
  const [key = ''] = texts
  const known = expected.get(key)
  if (known !== undefined) return known
  const troubles: string[] = []
  for (const text of texts) {
    const script = '"$0" -f - && exec "$0" -s list table inet "$1"'
    const tried = await run([tools.unshare, '--net', 'sh', '-c', script, tools.nft, table], { fed: text })
    if (tried.trouble.startsWith('unshare:'))
      throw new Error(`The rules could not be tried in a network namespace of their own (${tried.trouble}).`)
    if (tried.isDone) {
      if (expected.size >= keptListings) expected.clear()
      const wanted = { text, listing: tried.output }
      expected.set(key, wanted)
      return wanted
    }
    troubles.push(tried.trouble)
  }
  throw new Error(`This host's nft does not take the rules, so nothing was changed (${troubles.at(-1)}).`)
}

/** Without counts; null where there is no such table. */
async function listed(nft: string, table: string): Promise<string | null> {
  const { isDone, output, trouble } = await run([nft, '-s', 'list', 'table', 'inet', table])
  if (isDone) return output
  if (trouble.includes('No such file or directory')) return null
  throw new Error(`The rules of this host could not be read (${trouble}).`)
}

async function load(
  nft: string,
  args: readonly string[],
  options: { readonly held: number; readonly fed?: string },
): Promise<void> {
  const { isDone, trouble } = await run([nft, ...args], options)
  if (!isDone) throw new Error(`nft has changed nothing (${trouble}).`)
}

const lockOf = (folder: string): string => join(folder, 'lock')
const rulesFileOf = (folder: string): string => join(folder, 'rules.nft')

const textOf = (folder: string): Promise<string | null> =>
  readFile(rulesFileOf(folder), 'utf8').catch(unlessGone)
const hasText = async (folder: string): Promise<boolean> => (await textOf(folder)) !== null

async function keepText(folder: string, text: string | null): Promise<void> {
  if (text === null) await rm(rulesFileOf(folder), { force: true })
  else if ((await textOf(folder)) !== text) await writeDurably(rulesFileOf(folder), text)
}

/** For people to look at. */
function firstDifference(wanted: string, now: string | null): string {
  const [should, does] = [wanted, now ?? ''].map((text) => text.split('\n').map((line) => line.trim()))
  const missing = should?.find((line) => !does?.includes(line))
  const added = does?.find((line) => !should?.includes(line))
  if (missing !== undefined) return `missing: ${missing.slice(0, 200)}`
  return added === undefined ? 'in another order' : `added: ${added.slice(0, 200)}`
}
