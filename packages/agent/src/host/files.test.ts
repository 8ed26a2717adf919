import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createExclusively, makeFolder, readHead, removeFolder, trimFile, writeDurably } from './files.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countermand-files-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a file is replaced as a whole, for its owner only, and nothing is left beside it', async () => {
  const path = join(folder, 'file')
  await writeDurably(path, 'a long first content')
  await writeDurably(path, Buffer.from('second'))
  expect(readFileSync(path, 'utf8')).toBe('second')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  await writeDurably(path, 'x', 0o644)
  expect(statSync(path).mode & 0o777).toBe(0o644)
  expect(readdirSync(folder)).toEqual(['file'])
})

test('a write that fails leaves the old file, and no draft', async () => {
  await makeFolder(join(folder, 'taken', 'by'))
  await expect(writeDurably(join(folder, 'taken'), 'x')).rejects.toThrow()
  await expect(writeDurably(join(folder, 'missing', 'file'), 'x')).rejects.toThrow('ENOENT')
  expect(readdirSync(folder)).toEqual(['taken'])
})

test('of 20 who create a file at the same time one wins, and the file is the winner’s', async () => {
  for (let round = 0; round < 10; round += 1) {
    const path = join(folder, `decision-${round}`)
    const contents = Array.from({ length: 20 }, (_, n) => `caller ${n} `.repeat(1000))
    const won = await Promise.all(contents.map((content) => createExclusively(path, content)))
    expect(won.filter(Boolean)).toHaveLength(1)
    expect(readFileSync(path, 'utf8')).toBe(contents[won.indexOf(true)])
    expect(await createExclusively(path, 'later')).toBe(false)
  }
  expect(readdirSync(folder)).toHaveLength(10)
})

test('it is never seen torn: who finds the name finds all of the content', async () => {
  const content = 'x'.repeat(1_000_000)
  const module = JSON.stringify(join(import.meta.dirname, 'files.ts'))
  const names = Array.from({ length: 20 }, (_, n) => JSON.stringify(join(folder, `${n}`)))
  const program = `const { createExclusively } = await import(${module})
    for (const name of [${names.join()}]) await createExclusively(name, 'x'.repeat(${content.length}))`
  const writer = spawn(process.execPath, ['--input-type=module', '-e', program])
  const over = once(writer, 'exit')
  while (writer.exitCode === null) {
    const complete = readdirSync(folder).filter((name) => /^[0-9]+$/.test(name))
    for (const name of complete) expect(statSync(join(folder, name)).size).toBe(content.length)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(await over).toEqual([0, null])
  expect(readdirSync(folder)).toHaveLength(20)
})

test('a name that is taken by a link to nowhere is taken', async () => {
  symlinkSync('/no/such/target', join(folder, 'link'))
  expect(await createExclusively(join(folder, 'link'), 'x')).toBe(false)
})

test('folders are made with those above, for the owner only, and removed with what is in them', async () => {
  const deep = join(folder, 'a', 'b', 'c')
  await makeFolder(deep)
  await makeFolder(deep)
  expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o700)
  writeFileSync(join(deep, 'file'), '')
  await removeFolder(join(folder, 'a'))
  await removeFolder(join(folder, 'a'))
  expect(readdirSync(folder)).toEqual([])
})

test('a file is cut to its first bytes if it is longer, and says so', async () => {
  const path = join(folder, 'output')
  writeFileSync(path, '0123456789')
  expect(await trimFile(path, 10)).toBe(false)
  expect(await trimFile(path, 4)).toBe(true)
  expect(readFileSync(path, 'utf8')).toBe('0123')
  await expect(trimFile(join(folder, 'missing'), 4)).rejects.toThrow('ENOENT')
})

test('the head of a file is its first bytes, or all of it', async () => {
  const path = join(folder, 'script')
  writeFileSync(path, '0123456789')
  expect(Buffer.from(await readHead(path, 4)).toString()).toBe('0123')
  expect(Buffer.from(await readHead(path, 100)).toString()).toBe('0123456789')
  expect(await readHead('/proc/self/cmdline', 4)).toHaveLength(4)
})
