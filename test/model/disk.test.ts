/** The simulated disk does what a real one does, as far as an agent asks it; and forgets what a real one may forget. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, test } from 'vitest'
import { diskCalls, type DiskCalls } from './disk-calls.ts'
import { Disk, Folder } from './disk.ts'
import { Turns } from './turns.ts'

/** One call, whose outcome is what it answered, or why it failed. */
type Call = readonly [keyof typeof calls, string, string]

const calls = {
  write: async (on: DiskCalls, path: string, text: string) => {
    const file = await on.open(path, 'wx')
    await file.writeFile(text)
    await file.sync()
    await file.close()
  },
  trim: async (on: DiskCalls, path: string) => {
    const file = await on.open(path, 'r+')
    await file.truncate(1)
    const { size } = await file.stat()
    await file.close()
    return size
  },
  read: (on: DiskCalls, path: string) => on.readFile(path, 'utf8'),
  list: async (on: DiskCalls, path: string) => (await on.readdir(path)).toSorted(),
  mkdir: async (on: DiskCalls, path: string) => (await on.mkdir(path, { recursive: true })) === undefined,
  link: (on: DiskCalls, path: string, to: string) => on.link(path, to),
  rename: (on: DiskCalls, path: string, to: string) => on.rename(path, to),
  unlink: (on: DiskCalls, path: string) => on.unlink(path),
  forget: (on: DiskCalls, path: string) => on.rm(path, { recursive: true, force: true }),
}

const files = ['a', 'b', 'f/a', 'f/b', 'g/a']
const folders = ['f', 'g', 'f/g']
const onFolders: readonly (keyof typeof calls)[] = ['list', 'mkdir', 'forget']
/** An agent takes no file for a folder. */
const aCall: fc.Arbitrary<Call> = fc
  .constantFrom(...(Object.keys(calls) as (keyof typeof calls)[]))
  .chain((what) => {
    const place = fc.constantFrom(...(onFolders.includes(what) ? folders : files))
    return fc.tuple(fc.constant(what), place, place)
  })

const inFolderOf = (path: string): string => path.split('/').slice(0, -1).join('/')

/** What an agent never does, and systems therefore need not agree on. */
const isOutside = ([what, path, to]: Call): boolean =>
  (what === 'rename' || what === 'link') && (inFolderOf(path) !== inFolderOf(to) || path === to)

async function outcomes(on: DiskCalls, root: string, made: readonly Call[]): Promise<readonly unknown[]> {
  const found: unknown[] = []
  for (const [what, path, to] of made) {
    const second = what === 'write' ? to : join(root, to)
    const outcome = calls[what](on, join(root, path), second)
    found.push(await outcome.catch((thrown: unknown) => codeOf(thrown)))
  }
  return found
}

const codeOf = (thrown: unknown): unknown =>
  thrown instanceof Error && 'code' in thrown ? thrown.code : thrown

/** Plays turns until the work is over. */
async function played<T>(turns: Turns, work: Promise<T>): Promise<T> {
  await turns.play(10_000, () => 0)
  return work
}

function contentOf(disk: Disk, path: string): unknown {
  const place = disk.place(path)
  if (!(place instanceof Folder)) return place.content.toString()
  return Object.fromEntries(
    [...place.names.keys()].toSorted().map((name) => [name, contentOf(disk, join(path, name))]),
  )
}

function realContentOf(path: string): unknown {
  if (!statSync(path).isDirectory()) return readFileSync(path, 'utf8')
  const found = readdirSync(path).toSorted()
  return Object.fromEntries(found.map((name) => [name, realContentOf(join(path, name))]))
}

test('it answers every sequence of calls as a real one does', async () => {
  const real = process.getBuiltinModule('node:fs/promises') as unknown as DiskCalls
  const sequence = fc.array(aCall, { maxLength: 25, size: 'max' })
  await fc.assert(
    fc.asyncProperty(sequence, async (some) => {
      const made = some.filter((call) => !isOutside(call))
      const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'countermand-disk-'))
      try {
        const [disk, turns] = [new Disk(), new Turns()]
        disk.put('/root/x', '')
        disk.remove('/root/x')
        const simulated = await played(turns, outcomes(diskCalls(disk, turns), '/root', made))
        assert.deepEqual(simulated, await outcomes(real, folder, made))
        assert.deepEqual(contentOf(disk, '/root'), realContentOf(folder))
      } finally {
        rmSync(folder, { recursive: true })
      }
    }),
    { numRuns: 200 },
  )
})

/** Nothing of what was not synced has reached the disk, or all of it has. */
const worst = (): number => 0
const best = (of: number): number => of - 1

/** A file whose text was synced or not, under a name that was synced or not. */
async function cutAfter(
  synced: { text: boolean; name: boolean },
  pick: (of: number) => number,
): Promise<unknown> {
  const [disk, turns] = [new Disk(), new Turns()]
  disk.put('/f/old', 'old')
  const on = diskCalls(disk, turns)
  const work = async (): Promise<void> => {
    const file = await on.open('/f/new', 'wx')
    await file.writeFile('new')
    if (synced.text) await file.sync()
    const folder = await on.open('/f', 'r')
    if (synced.name) await folder.sync()
  }
  await played(turns, work())
  disk.cut(pick)
  return contentOf(disk, '/f')
}
describe('after a power cut', () => {
  test('what was synced, text and name, is there', async () => {
    const whole = { old: 'old', new: 'new' }
    assert.deepEqual(await cutAfter({ text: true, name: true }, worst), whole)
  })

  test('a name that was not may be gone, and may not', async () => {
    assert.deepEqual(await cutAfter({ text: true, name: false }, worst), { old: 'old' })
    assert.deepEqual(await cutAfter({ text: true, name: false }, best), { old: 'old', new: 'new' })
  })

  test('a text that was not may be gone from under its name', async () => {
    assert.deepEqual(await cutAfter({ text: false, name: true }, worst), { old: 'old', new: '' })
    assert.deepEqual(await cutAfter({ text: false, name: true }, best), { old: 'old', new: 'new' })
  })
})
