import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Barrier } from '../host/firewall/types.ts'
import { pretendFirewall } from './firewall.ts'

test('a pretended firewall stands as it was told last, and calls whoever watches until that ends', async () => {
  const firewall = pretendFirewall()
  const barrier: Barrier = { generation: 1, server: { addresses: ['192.0.2.1'], port: 443 }, allow: [] }
  let calls = 0
  const end = firewall.watch(() => void (calls += 1))
  assert.equal(await firewall.difference(null), null)
  await firewall.apply(barrier)
  assert.equal(calls, 1)
  assert.equal(await firewall.difference(barrier), null)
  assert.notEqual(await firewall.difference({ ...barrier, generation: 2 }), null)
  assert.notEqual(await firewall.difference(null), null)
  end()
  await firewall.apply(null)
  assert.equal(calls, 1)
  assert.equal(await firewall.difference(null), null)
})
