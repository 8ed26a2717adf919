/** Files that somebody has brought: refused at the start, and while others are shown, in words; taken when they change. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, test } from 'vitest'
import { ConfigError } from '../config/settings.ts'
import type { Certificates, Pair } from './certificates.ts'
import { openOwnFiles } from './own-files.ts'
import { openPrivateCa } from './private-ca.ts'

const now = new Date('2026-02-03T04:05:06Z')
const longAgo = new Date('2025-02-03T04:05:06Z')

let folder: string
let one: Pair
let other: Pair
let expired: Pair
const made = async (at: Date): Promise<Pair> =>
  (
    await openPrivateCa(
      { kept: join(folder, 'ca.key'), shown: join(folder, 'ca.pem'), names: ['a.example'] },
      at,
    )
  ).first
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countermand-own-'))
  one = await made(now)
  other = await made(now)
  expired = await made(longAgo)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const paths = (): { certificate: string; key: string } => ({
  certificate: join(folder, 'cert.pem'),
  key: join(folder, 'key.pem'),
})
function put({ cert, key }: Partial<Pair>): void {
  if (cert !== undefined) writeFileSync(paths().certificate, cert)
  if (key !== undefined) writeFileSync(paths().key, key)
}
const saying =
  (words: RegExp) =>
  (thrown: unknown): boolean =>
    thrown instanceof ConfigError && words.test(thrown.message)

/** What is wrong with them, and the words that name the flag and the file. */
const unusable: readonly (readonly [string, () => Partial<Pair>, RegExp])[] = [
  ['a certificate that is none', () => ({ ...one, cert: 'x' }), /^--tls-cert: .*cert\.pem cannot be used/],
  ['an empty certificate', () => ({ ...one, cert: '' }), /^--tls-cert: .*cert\.pem cannot be used/],
  ['half a certificate', () => ({ ...one, cert: one.cert.slice(0, 200) }), /^--tls-cert: .*cannot be used/],
  ['a key that is none', () => ({ ...one, key: 'x' }), /^--tls-key: .*key\.pem cannot be used/],
  ['another certificate’s key', () => ({ ...one, key: other.key }), /^--tls-key: .*key\.pem cannot be used/],
  ['what has expired', () => expired, /^--tls-cert: .*cert\.pem has expired, on May {2}4 04:05:06 2025 GMT$/],
]

describe('at the start', () => {
  test.each(unusable)('%s is refused', async (_, files, words) => {
    put(files())
    await assert.rejects(openOwnFiles(paths(), now), saying(words))
  })

  test.each([
    ['certificate', '--tls-cert'],
    ['key', '--tls-key'],
  ])('a %s that is not there is refused', async (name, flag) => {
    put(one)
    const gone = { ...paths(), [name]: join(folder, 'gone.pem') }
    await assert.rejects(
      openOwnFiles(gone, now),
      saying(new RegExp(`^${flag}: .*gone\\.pem cannot be read: ENOENT`)),
    )
  })

  test('what fits is shown, and no CA of ours vouches for it', async () => {
    put(one)
    const { first, ca } = await openOwnFiles(paths(), now)
    assert.deepEqual([first, ca], [one, null])
  })
})

describe('while one is shown', () => {
  let shown: Certificates
  beforeEach(async () => {
    put(one)
    shown = await openOwnFiles(paths(), now)
  })
  const next = (): Promise<Pair | null> => shown.next(now)

  test('another pair is shown once it is there for two looks', async () => {
    assert.equal(await next(), null)
    put(other)
    assert.equal(await next(), null)
    assert.deepEqual(await next(), other)
    assert.equal(await next(), null)
  })

  test('a look between two files is no fault', async () => {
    put({ cert: other.cert })
    assert.equal(await next(), null)
    put({ key: other.key })
    assert.equal(await next(), null)
    assert.deepEqual(await next(), other)
  })

  test.each(unusable)('%s is refused, once, and what comes after it is taken', async (_, files, words) => {
    put(files())
    assert.equal(await next(), null)
    await assert.rejects(next(), saying(words))
    assert.equal(await next(), null)
    put(other)
    assert.equal(await next(), null)
    assert.deepEqual(await next(), other)
  })

  test('a file that is gone is said once', async () => {
    rmSync(paths().key)
    assert.equal(await next(), null)
    await assert.rejects(next(), saying(/^--tls-key: .*ENOENT/))
    assert.equal(await next(), null)
  })
})
