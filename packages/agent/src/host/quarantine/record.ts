// What is written down of a file in quarantine: all that it takes to put it back, before it is touched.
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { unlessGone, writeDurably } from '../files.ts'
import type { Item, Name } from './types.ts'

export interface ItemRecord extends Omit<Item, 'names' | 'state'> {
  /** Base64 of their bytes. */
  readonly names: readonly string[]
  /** How many of them are here for certain; one more at most is on its way. */
  readonly kept: number
  /** Permission bits, with those for another identity. */
  readonly mode: number
  /** Device and number of its inode, where it was. */
  readonly inode: string
  /** How many names it had when it was first met. */
  readonly links: number
  /** `moved`: under its names in here. `copied`: its content is in here, it was on another file system. */
  readonly way: 'moved' | 'copied'
}

const fileName = 'record.json'

export const placeOf = (folder: string, id: string): string => join(folder, id)
export const nameOf = (encoded: string): Buffer => Buffer.from(encoded, 'base64')
export const encoded = (name: Name): string => Buffer.from(name).toString('base64')

export const toItem = ({ id, action, sha1, size, names, kept, takenAt, isBare }: ItemRecord): Item => ({
  id,
  action,
  sha1,
  size,
  names: names.map(nameOf),
  state: kept < names.length ? 'taking' : 'kept',
  takenAt,
  isBare,
})

/** On disk when this resolves. */
export const writeRecord = (folder: string, record: ItemRecord): Promise<void> =>
  writeDurably(join(placeOf(folder, record.id), fileName), JSON.stringify(record))

/** Null where there is none: what a crash has left of one that was never written, or is gone. */
export async function readRecord(folder: string, id: string): Promise<ItemRecord | null> {
  if (!/^[0-9a-f]{12}$/.test(id)) return null
  const text = await readFile(join(placeOf(folder, id), fileName), 'utf8').catch(unlessGone)
  if (text === null) return null
  const record: ItemRecord = JSON.parse(text)
  return record
}

/** The oldest first. */
export async function readRecords(folder: string): Promise<readonly ItemRecord[]> {
  const ids = (await readdir(folder).catch(unlessGone)) ?? []
  const records = await Promise.all(ids.map((id) => readRecord(folder, id)))
  return records
    .filter((record) => record !== null)
    .toSorted((a, b) => (a.takenAt < b.takenAt ? -1 : a.takenAt > b.takenAt ? 1 : 0))
}
