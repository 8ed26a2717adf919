import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'vitest'
import type { Part, Uploads } from '../app/ports.ts'
import { diskUploads } from './uploads.ts'

const place = { actionId: 'a-1', index: 3 }
const hash = (text: string): string => createHash('sha256').update(text).digest('hex')

let folder: string
let uploads: Uploads
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countermand-uploads-'))
  uploads = diskUploads(folder)
})
afterEach(() => rmSync(folder, { recursive: true }))

async function* pieces(...texts: readonly (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) {
    if (text instanceof Error) throw text
    yield await Promise.resolve(Buffer.from(text))
  }
}
const part = (...texts: readonly string[]): Part => ({
  content: pieces(...texts),
  sha256: hash(texts.join('')),
  limit: 100,
})
const bytes = (): string => {
  const own = join(folder, 'uploads/a-1')
  return readdirSync(own)
    .map((name) => readFileSync(join(own, name), 'latin1'))
    .join('|')
}

test('parts are added one after the other, and the file lies whole on its shelf in the end', async () => {
  assert.equal(await uploads.offset(place), null)
  assert.equal(await uploads.append(place, part('ab', 'c')), 3)
  assert.equal(await uploads.append(place, part('de')), 5)
  assert.equal(await uploads.offset(place), 5)
  assert.deepEqual(await uploads.finish(place, hash('abcde'), 'results/a-1/3'), {
    sha256: hash('abcde'),
    size: 5,
  })
  assert.equal(readFileSync(join(folder, 'results/a-1/3', hash('abcde')), 'utf8'), 'abcde')
  assert.equal(await uploads.offset(place), null)
})

test.each([
  ['a disk that is full', 'ENOSPC', 'ServiceUnavailable'],
  ['a quota that is used up', 'EDQUOT', 'ServiceUnavailable'],
  ['a disk that fails', 'EIO', 'ServiceUnavailable'],
])('%s leaves nothing of the part, and the parts before as they were', async (_, code, refusal) => {
  await uploads.append(place, part('abc'))
  const content = pieces('defgh', Object.assign(new Error(code), { code }))
  await assert.rejects(uploads.append(place, { content, sha256: hash('x'), limit: 100 }), { code: refusal })
  assert.equal(bytes(), 'abc')
  assert.equal(await uploads.append(place, part('de')), 5)
  assert.equal((await uploads.finish(place, hash('abcde'), 'results/a-1/3')).size, 5)
})

test('a part that breaks off, has another hash or is too large leaves nothing', async () => {
  await uploads.append(place, part('abc'))
  const broken = { ...part('de'), content: pieces('d', new Error('broken')) }
  await assert.rejects(uploads.append(place, broken), /broken/)
  await assert.rejects(uploads.append(place, { ...part('de'), sha256: hash('xx') }), { code: 'InvalidInput' })
  await assert.rejects(uploads.append(place, { ...part('d', 'ef'), limit: 2 }), {
    code: 'RequestEntityTooLarge',
  })
  assert.deepEqual([bytes(), await uploads.offset(place)], ['abc', 3])
})

test('another server over the same folder takes it up where it was', async () => {
  await uploads.append(place, part('abc'))
  const next = diskUploads(folder)
  assert.equal(await next.offset(place), 3)
  assert.equal(await next.append(place, part('de')), 5)
  assert.equal((await next.finish(place, hash('abcde'), 'results/a-1/3')).size, 5)
})

test('a file that a power cut has made shorter than was acknowledged begins anew', async () => {
  await uploads.append(place, part('abc'))
  truncateSync(join(folder, 'uploads/a-1/3.3'), 2)
  const next = diskUploads(folder)
  assert.equal(await next.offset(place), null)
  assert.equal(await next.append(place, part('de')), 2)
  assert.equal(bytes(), 'de')
})

test('more of them than are remembered go on all the same', async () => {
  uploads = diskUploads(folder, 2)
  const places = Array.from({ length: 5 }, (_, index) => ({ actionId: 'a-1', index }))
  for (const each of places) await uploads.append(each, part('abc'))
  for (const each of places) {
    assert.equal(await uploads.append(each, part('de')), 5)
    const shelf = `results/a-1/${each.index}`
    assert.equal((await uploads.finish(each, hash('abcde'), shelf)).size, 5)
  }
})

test('work on one upload is done one after the other, also when some of it fails; on another beside it', async () => {
  const told: string[] = []
  const first = Promise.withResolvers<void>()
  const work = [
    uploads.alone(place, async () => {
      told.push('first begins')
      await first.promise
      told.push('first fails')
      throw new Error('failed')
    }),
    uploads.alone(place, async () => void told.push('second')),
    uploads.alone({ ...place, index: 4 }, async () => void told.push('beside')),
  ]
  await work[2]
  first.resolve()
  const [failed] = await Promise.allSettled(work)
  assert.equal(failed?.status, 'rejected')
  assert.deepEqual(told, ['first begins', 'beside', 'first fails', 'second'])
})

test('what is cleared is gone, and of others nothing', async () => {
  const other = { actionId: 'a-2', index: 0 }
  await uploads.append(place, part('abc'))
  await uploads.append(other, part('abc'))
  await uploads.append({ ...place, index: 4 }, part('abc'))
  await uploads.finish({ ...place, index: 4 }, hash('abc'), 'results/a-1/4')
  assert.deepEqual([...(await uploads.actions())].toSorted(), ['a-1', 'a-2'])
  await uploads.clear('a-1')
  assert.deepEqual(await uploads.actions(), ['a-2'])
  assert.deepEqual([await uploads.offset(place), await uploads.offset(other)], [null, 3])
  assert.deepEqual(readdirSync(join(folder, 'results/a-1')), ['4'], 'a result is not cleared')
})

test('a place that could be outside the folder is a fault', async () => {
  await assert.rejects(uploads.append({ actionId: '../x', index: 0 }, part('a')), /No place/)
})
