// `countermand-agent quarantine`: what somebody in front of the host may ask about it, with or without the server.
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { shown } from './names.ts'
import type { Item, Quarantine } from './types.ts'

const usage = 'It is countermand-agent quarantine list, or countermand-agent quarantine restore ID.'

/** What it says, and the status to exit with. */
export interface Said {
  readonly lines: readonly string[]
  readonly status: number
}

/** `words`: what follows the command. */
export async function quarantineCommand(quarantine: Quarantine, words: readonly string[]): Promise<Said> {
  if (process.getuid?.() !== 0)
    return failed(`The quarantine in ${quarantine.folder} is for root alone: ask as root.`)
  const [what, id, ...more] = words
  if (what === 'list' && id === undefined) return { lines: tableOf(await quarantine.list()), status: 0 }
  if (what === 'restore' && id !== undefined && more.length === 0) return restore(quarantine, id)
  return failed(usage)
}

const failed = (...lines: readonly string[]): Said => ({ lines, status: 1 })

async function restore(quarantine: Quarantine, id: string): Promise<Said> {
  const item = (await quarantine.list()).find((one) => one.id === id)
  if (item === undefined)
    return failed(
      `Nothing in quarantine has the ID ${id}. countermand-agent quarantine list shows what there is.`,
    )
  if (item.state === 'taking')
    return failed(`${id} is on its way into quarantine: the agent ends that, and has to run for it.`)
  // Before the file is back: what somebody has asked for is not to be forgotten.
  const { action, sha1, names } = item
  const entry = { at: new Date().toISOString(), id, action, sha1, paths: names.map(shown) }
  await appendFile(join(quarantine.folder, 'restored.log'), `${JSON.stringify(entry)}\n`, {
    mode: 0o600,
    flush: true,
  })
  const residues = await quarantine.putBack(id)
  if (residues.length > 0) return failed(...residues)
  return { lines: names.map((name) => `${shown(name)} is back.`), status: 0 }
}

function tableOf(items: readonly Item[]): readonly string[] {
  if (items.length === 0) return ['Nothing is in quarantine.']
  const rows = items.flatMap(({ id, takenAt, size, sha1, names, state }) =>
    names.map((name) => [id, takenAt.slice(0, 19), String(size), state, sha1, shown(name)]),
  )
  const all = [['ID', 'TAKEN (UTC)', 'BYTES', 'STATE', 'SHA-1', 'PATH'], ...rows]
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? []
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
