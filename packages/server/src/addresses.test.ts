import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { openAddresses } from './addresses.ts'

const of = (publicUrl: string | null, deviceAddresses: readonly string[] = []) =>
  openAddresses({ deviceAddresses, publicUrl: publicUrl ?? 'http://x', isPublicUrlGiven: publicUrl !== null })

describe('where devices reach this server', () => {
  test('is what was configured, and nothing else', async () => {
    const addresses = of('https://localhost', ['2001:db8::7', '192.0.2.7'])
    await addresses.renew()
    assert.deepEqual(addresses.of('192.0.2.9'), ['192.0.2.7', '2001:db8::7'])
  })

  test('is by which one has just reached it; IPv4 as IPv4, and without the name of a cable', () => {
    assert.deepEqual(of(null).of('::ffff:192.0.2.9'), ['192.0.2.9'])
    assert.deepEqual(of(null).of('fe80::1%eth0'), ['fe80::1'])
    assert.deepEqual(of(null).of(null), [])
  })

  test('is the address that its public URL names, once', () => {
    assert.deepEqual(of('http://192.0.2.7:8600').of('192.0.2.7'), ['192.0.2.7'])
    assert.deepEqual(of('http://[2001:db8::7]:8600').of(null), ['2001:db8::7'])
  })

  test('is what its public name resolves to; a name that nobody answers for keeps what was known', async () => {
    const addresses = of('https://localhost')
    assert.deepEqual(addresses.of(null), [])
    await addresses.renew()
    const found = addresses.of(null)
    assert.ok(found.includes('127.0.0.1') || found.includes('::1'), found.join())
    const unknown = of('https://nowhere.invalid')
    await unknown.renew()
    assert.deepEqual(unknown.of('192.0.2.9'), ['192.0.2.9'])
  })
})
