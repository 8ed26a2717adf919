import assert from 'node:assert/strict'
import { test } from 'vitest'
import { pretendExecution } from './execution.ts'

test('a pretended restriction stands as it was told last, and calls whoever watches until that ends', async () => {
  const execution = pretendExecution()
  let calls = 0
  const end = execution.watch(() => void (calls += 1))
  assert.equal(await execution.obstacle(), null)
  assert.equal(await execution.difference(false), null)
  assert.notEqual(await execution.difference(true), null)
  await execution.apply(true)
  assert.equal(calls, 1)
  assert.equal(await execution.difference(true), null)
  assert.notEqual(await execution.difference(false), null)
  end()
  await execution.apply(false)
  assert.equal(calls, 1)
  assert.equal(await execution.difference(false), null)
})
