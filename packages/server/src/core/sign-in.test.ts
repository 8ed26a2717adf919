import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { networkOf, oneMore, waitAfter, type Failures } from './sign-in.ts'

const minute = 60_000
const at = 1_000_000_000
const failed = (count: number): Failures | undefined => (count === 0 ? undefined : { count, lastAt: at })

describe('after failures', () => {
  test.each([
    [0, 0],
    [4, 0],
    [5, 1_000],
    [6, 2_000],
    [7, 4_000],
    [13, 256_000],
    [14, 5 * minute],
    [10_000, 5 * minute],
  ])('%d of them one waits %d ms', (count, ms) => assert.equal(waitAfter(failed(count), at), ms))

  test('the wait counts from the last one', () => {
    assert.equal(waitAfter(failed(7), at + 3_999), 1)
    assert.equal(waitAfter(failed(7), at + 4_000), 0)
  })
  test('they are forgotten 15 minutes after the last one', () => {
    assert.equal(oneMore(failed(9), at + 15 * minute - 1).count, 10)
    assert.equal(oneMore(failed(9), at + 15 * minute).count, 1)
  })
  test('a clock that was set back keeps nobody waiting', () => assert.equal(waitAfter(failed(20), at - 1), 0))
})

describe('an address stands for', () => {
  test.each([
    ['192.0.2.17', '192.0.2.17'],
    ['::ffff:192.0.2.17', '192.0.2.17'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('%s: %s', (address, network) => assert.equal(networkOf(address), network))
})
