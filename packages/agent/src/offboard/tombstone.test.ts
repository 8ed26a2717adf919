/** What is left of an identity that was given up: words, and no key, whatever an agent that was killed over it has left. */
import assert from 'node:assert/strict'
import { linkSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { readIdentity } from '../identity.ts'
import { inFolder } from '../testing/fakes.ts'
import { destroyLeftKey, epitaph, giveUpIdentity, readTombstone, type Tombstone } from './tombstone.ts'

const secret = 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I'
const machineId = 'a'.repeat(40)
const identity = JSON.stringify({
  machineId,
  server: 'https://server.example',
  orderKey: 'O'.repeat(43),
  key: { kty: 'OKP', crv: 'Ed25519', x: 'x', d: secret },
})
const offboarded = {
  at: '2026-02-03T04:05:06.000Z',
  action: '01890000-0000-7000-8000-000000000017',
  key: 'K'.repeat(43),
}
const tombstone: Tombstone = { machineId, server: 'https://server.example', offboarded }

const holding = (folder: string): readonly string[] =>
  readdirSync(folder).filter((name) => readFileSync(join(folder, name)).includes(secret))

test('an identity that is given up says who it was, since when, by what, and of which key; copies of the key go too', () =>
  inFolder(async (folder) => {
    const file = join(folder, 'identity.json')
    writeFileSync(file, identity)
    writeFileSync(join(folder, 'identity.json.tmp-17'), identity)
    writeFileSync(join(folder, 'next-key.json'), `{"key":{"d":"${secret}"}}`)
    writeFileSync(join(folder, 'sync-K.json'), '{}')
    // Whoever has the file open, or a second name for it, sees it overwritten.
    linkSync(file, join(folder, 'second-name'))
    await giveUpIdentity(folder, tombstone)
    assert.deepEqual(holding(folder), [])
    assert.match(readFileSync(join(folder, 'second-name'), 'latin1'), /^\0+$/)
    assert.deepEqual(readdirSync(folder).toSorted(), ['identity.json', 'second-name', 'sync-K.json'])
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), tombstone)
    assert.deepEqual(await readTombstone(folder), tombstone)
    assert.equal(await readIdentity(folder), null)
    for (const word of [machineId, offboarded.at, offboarded.action, '--enrol TOKEN'])
      assert.ok(epitaph(tombstone).includes(word), word)
  }))

test('one that was killed before the tombstone begins anew; after it, the next one destroys what is left', () =>
  inFolder(async (folder) => {
    writeFileSync(join(folder, 'identity.json'), identity)
    linkSync(join(folder, 'identity.json'), join(folder, 'former-identity.json'))
    assert.equal(await readTombstone(folder), null)
    await giveUpIdentity(folder, tombstone)
    assert.deepEqual(readdirSync(folder), ['identity.json'])

    writeFileSync(join(folder, 'former-identity.json'), identity)
    assert.deepEqual(await readTombstone(folder), tombstone)
    await destroyLeftKey(folder)
    assert.deepEqual(readdirSync(folder), ['identity.json'])
  }))

test('a folder without an identity, or with one, has no tombstone', () =>
  inFolder(async (folder) => {
    assert.equal(await readTombstone(folder), null)
    writeFileSync(join(folder, 'identity.json'), identity)
    assert.equal(await readTombstone(folder), null)
  }))
