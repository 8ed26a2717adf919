/** A quarantine in the table: a program of its own for each row, looked for in one folder alone, and a file that takes long to read. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { MachineAction } from '@countermand/contract'
import type { Stage } from './stage.ts'
import type { Row } from './table.ts'

/** Of one row. */
export interface Evil {
  readonly path: string
  /** Another name of the same file. */
  readonly link: string
  readonly sha1: string
  /** Nothing but zeros, and minutes of them, until it is cut. */
  readonly long: string
  child: ChildProcess | null
}

const mode = 0o4751
export const placeTaken = 'somebody else’s'

export function makeEvil({ searched }: Pick<Stage, 'searched'>, word: string): Evil {
  const folder = join(searched, word)
  mkdirSync(folder)
  const path = join(folder, 'evil')
  copyFileSync('/bin/sleep', path)
  appendFileSync(path, randomBytes(16))
  chmodSync(path, mode)
  linkSync(path, join(folder, 'link\nof it'))
  const sha1 = createHash('sha1').update(readFileSync(path)).digest('hex')
  return { path, link: join(folder, 'link\nof it'), sha1, long: join(folder, 'long'), child: null }
}

export async function startEvil(evil: Evil): Promise<void> {
  evil.child = spawn(evil.path, ['300'], { stdio: 'ignore' })
  await once(evil.child, 'spawn')
}

/** A search that knows no size reads all of it. */
export function holdSearch({ long }: Evil): void {
  writeFileSync(long, '')
  truncateSync(long, 1024 ** 4)
}

export function letGoSearch({ long }: Evil): void {
  if (existsSync(long)) truncateSync(long, 0)
}

export function endEvil(evil: Evil): void {
  letGoSearch(evil)
  evil.child?.kill('SIGKILL')
}

/** Which rows kill what ran: those in which it was dead when the cancel came, and those that went to their end. */
const isKilledAt = (at: string): boolean => at.startsWith('with') && at !== 'with what runs stopped'

export async function assertEvilLeft(
  row: Row,
  evil: Evil,
  action: MachineAction,
  quarantine: string,
): Promise<void> {
  const { child, path, link, sha1 } = evil
  const { quarantined } = action.countermand
  assert.deepEqual(action.relatedFileInfo, { fileIdentifier: sha1, fileIdentifierType: 'Sha1' })
  const isDead = child !== null && (isKilledAt(row.at) || row.left === 'quarantine')
  assert.deepEqual(
    quarantined?.killed.map(({ pid }) => pid),
    isDead ? [child.pid] : [],
  )
  if (isDead && child.signalCode === null) await once(child, 'exit')
  if (child !== null && !isDead) assert.doesNotMatch(stateOf(child), /[Tt]/, 'it is stopped')

  const isAway = row.left === 'quarantine' || row.left === 'residue'
  assert.equal(quarantined?.files.length, isAway ? 1 : 0)
  assert.equal(existsSync(path), row.left !== 'quarantine')
  assert.equal(existsSync(link), row.left !== 'quarantine')
  if (row.left === 'residue') assert.equal(readFileSync(path, 'utf8'), placeTaken)
  if (row.left === 'nothing') assert.deepEqual(lookAt(path), [sha1, mode, 2])
  assert.equal(
    readdirSync(join(path, '..')).some((name) => name.includes('countermand')),
    false,
  )
  const inside = existsSync(quarantine) ? readdirSync(quarantine) : []
  assert.deepEqual(
    inside.filter((id) => readFileSync(join(quarantine, id, 'record.json'), 'utf8').includes(sha1)).length,
    isAway ? 1 : 0,
  )
}

const lookAt = (path: string): readonly unknown[] => {
  const found = statSync(path)
  const sha1 = createHash('sha1').update(readFileSync(path)).digest('hex')
  return [sha1, found.mode & 0o7777, found.nlink]
}

const stateOf = ({ pid }: ChildProcess): string =>
  /\) (\S)/.exec(readFileSync(`/proc/${pid ?? 0}/stat`, 'utf8'))?.[1] ?? ''
