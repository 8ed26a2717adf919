import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fromBufferPromise } from 'yauzl'
import { zipOf } from './zip.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countermand-zip-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Descriptors of this process that are open on something in the folder. */
const openFds = (): string[] =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder)
    } catch {
      return false
    }
  })

/** Does something when the first piece is there. */
async function* afterFirst(pieces: AsyncIterable<Uint8Array>, act: () => void): AsyncGenerator<Uint8Array> {
  let isFirst = true
  for await (const piece of pieces) {
    if (isFirst) act()
    isFirst = false
    yield piece
  }
}

/** Names and contents, by another program's reading of the format. */
async function readZip(pieces: AsyncIterable<Uint8Array>): Promise<ReadonlyMap<string, Buffer>> {
  const zip = await fromBufferPromise(Buffer.from(await buffer(pieces)))
  const found = new Map<string, Buffer>()
  for await (const entry of zip.eachEntry()) {
    const content = await buffer(await zip.openReadStreamPromise(entry))
    expect(crc32(content)).toBe(entry.crc32)
    found.set(entry.fileName, content)
  }
  return found
}

test('a zip has the texts, then every regular file below the folder, whole and under its name', async () => {
  const large = randomBytes(3_000_000)
  mkdirSync(join(folder, 'files/deep'), { recursive: true })
  writeFileSync(join(folder, '01-processes.txt'), 'x'.repeat(1_000_000))
  writeFileSync(join(folder, 'files/deep/№ zoë.log'), large)
  writeFileSync(join(folder, 'empty'), '')
  writeFileSync(join(folder, String.raw`..\up`), 'a name')
  const found = await readZip(zipOf(folder, { 'summary.txt': 'ö', 'summary.json': '{}' }))
  expect([...found.keys()]).toEqual([
    'summary.txt',
    'summary.json',
    '.._up',
    '01-processes.txt',
    'empty',
    'files/deep/№ zoë.log',
  ])
  expect(found.get('summary.txt')?.toString()).toBe('ö')
  expect(found.get('files/deep/№ zoë.log')?.equals(large)).toBe(true)
  expect(found.get('01-processes.txt')?.length).toBe(1_000_000)
})

test('an empty folder makes an empty zip, a missing one none', async () => {
  expect([...(await readZip(zipOf(folder))).keys()]).toEqual([])
  await expect(buffer(zipOf(join(folder, 'missing')))).rejects.toThrow('ENOENT')
})

test('no link is followed, and nothing that is no file is opened', async () => {
  writeFileSync(join(folder, 'real'), 'here')
  symlinkSync('/etc/passwd', join(folder, 'link'))
  symlinkSync('/etc', join(folder, 'folder-link'))
  execFileSync('mkfifo', [join(folder, 'fifo')])
  expect([...(await readZip(zipOf(folder))).keys()]).toEqual(['real'])
})

test('a file of which there is a text is left out', async () => {
  writeFileSync(join(folder, 'summary.txt'), 'a forged one')
  const found = await readZip(zipOf(folder, { 'summary.txt': 'ours' }))
  expect([...found].map(([name, content]) => [name, content.toString()])).toEqual([['summary.txt', 'ours']])
})

test('what vanishes, shrinks, grows or becomes a FIFO meanwhile does not break it', async () => {
  const size = 4_000_000
  for (const name of ['1-first', '2-gone', '3-shrunk', '4-grown', '5-fifo', '6-last'])
    writeFileSync(join(folder, name), randomBytes(size))
  const found = await readZip(
    afterFirst(zipOf(folder), () => {
      unlinkSync(join(folder, '2-gone'))
      truncateSync(join(folder, '3-shrunk'), 10)
      appendFileSync(join(folder, '4-grown'), 'more')
      unlinkSync(join(folder, '5-fifo'))
      execFileSync('mkfifo', [join(folder, '5-fifo')])
    }),
  )
  expect([...found].map(([name, { length }]) => [name, length])).toEqual([
    ['1-first', size],
    ['3-shrunk', 10],
    ['4-grown', size + 4],
    ['6-last', size],
  ])
})

test('a file that shrinks while it is read ends there', async () => {
  writeFileSync(join(folder, 'log'), randomBytes(8_000_000))
  const found = await readZip(afterFirst(zipOf(folder), () => truncateSync(join(folder, 'log'), 4_000_000)))
  expect(found.get('log')?.length).toBe(4_000_000)
})

test('a file that grows while it is read ends at the size that it had', async () => {
  writeFileSync(join(folder, 'log'), randomBytes(8_000_000))
  const found = await readZip(
    afterFirst(zipOf(folder), () => appendFileSync(join(folder, 'log'), randomBytes(1_000_000))),
  )
  expect(found.get('log')?.length).toBe(8_000_000)
})

test('times and modes are kept', async () => {
  writeFileSync(join(folder, 'log'), 'x', { mode: 0o640 })
  utimesSync(join(folder, 'log'), 1_700_000_000, 1_700_000_000)
  const zip = await fromBufferPromise(Buffer.from(await buffer(zipOf(folder))))
  for await (const entry of zip.eachEntry()) {
    expect(entry.getLastModDate().getTime()).toBe(1_700_000_000_000)
    expect((entry.externalFileAttributes >>> 16) & 0o777).toBe(statSync(join(folder, 'log')).mode & 0o777)
  }
})

test('who stops reading closes what was open, and the rest is not read', async () => {
  for (const name of ['1', '2']) writeFileSync(join(folder, name), randomBytes(5_000_000))
  for await (const _ of zipOf(folder)) {
    expect(openFds()).toHaveLength(1)
    break
  }
  expect(openFds()).toEqual([])
})

test('a slow reader holds the reading up: memory stays bounded', async () => {
  writeFileSync(join(folder, 'large'), randomBytes(20_000_000))
  const pieces = zipOf(folder)
  await pieces.next()
  await new Promise((resolve) => setTimeout(resolve, 300))
  const info = readFileSync(`/proc/self/fdinfo/${openFds()[0] ?? ''}`, 'utf8')
  const position = Number(/pos:\s+(\d+)/.exec(info)?.[1])
  await pieces.return(undefined)
  expect(position).toBeGreaterThan(0)
  expect(position).toBeLessThan(5_000_000)
})
