import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Store } from '../app/ports.ts'
import { watchStore } from './watch-store.ts'

test('work is counted while it is asked for and not answered, however it is answered', async () => {
  const [first, second, read] = [
    Promise.withResolvers<unknown>(),
    Promise.withResolvers<unknown>(),
    Promise.withResolvers<unknown>(),
  ]
  const asked = [first, second]
  const bare = {
    read: () => read.promise,
    write: () => asked.shift()?.promise,
    close: () => Promise.resolve(),
  } as unknown as Store
  const depth = { read: 0, write: 0 }
  const store = watchStore(bare, depth)

  const works = [
    store.write('expireAction', 'a'),
    store.write('expireAction', 'b'),
    store.read('libraryFile', 'a.sh'),
  ]
  assert.deepEqual(depth, { read: 1, write: 2 })
  first.resolve(undefined)
  await works[0]
  assert.deepEqual(depth, { read: 1, write: 1 })
  second.reject(new Error('the disk is full'))
  await assert.rejects(Promise.resolve(works[1]), /the disk is full/)
  assert.deepEqual(depth, { read: 1, write: 0 })
  read.resolve(null)
  assert.equal(await works[2], null)
  assert.deepEqual(depth, { read: 0, write: 0 })
})
