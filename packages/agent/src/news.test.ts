/** The chain of what a device says: numbered without a gap, also over restarts and at once, kept until it is heard. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { NewsItem, canonical, fits, maxNewsPerStatement, type News } from '@countermand/contract'
import { test } from 'vitest'
import { openNews } from './news.ts'
import { inFolder, newId } from './testing/fakes.ts'

const genesis = 'G'.repeat(43)
const started = (action = newId()): News => ({ kind: 'started', action, commands: [] })

/** After the protocol, not after the source. */
function assertChained(items: readonly NewsItem[], from = { n: 0, digest: genesis }): void {
  let { n, digest } = from
  for (const item of items) {
    assert.ok(fits(NewsItem, item))
    assert.deepEqual([item.n, item.previous], [n + 1, digest])
    n = item.n
    digest = createHash('sha256').update(canonical(item)).digest('base64url')
  }
}

test('items are numbered from 1 and chained from the key, also those told at once', () =>
  inFolder(async (folder) => {
    const news = await openNews(folder, genesis, 0)
    await Promise.all(Array.from({ length: 20 }, () => news.tell(started())))
    assert.equal(news.pending().length, 20)
    assertChained(news.pending())
  }))

test('the chain goes on after a restart, whatever has been acknowledged', () =>
  inFolder(async (folder) => {
    const told: NewsItem[] = []
    const add = (items: readonly NewsItem[]): void => {
      for (const item of items) if (item.n > told.length) told.push(item)
    }
    let acknowledged = 0
    for (const upTo of [0, 1, 4, 5, 6]) {
      const news = await openNews(folder, genesis, acknowledged)
      await news.tell(started())
      await news.tell(started())
      add(news.pending())
      await news.acknowledge(upTo)
      acknowledged = upTo
      assert.deepEqual(
        news.pending().map(({ n }) => n),
        told.map(({ n }) => n).filter((n) => n > upTo),
      )
    }
    assert.equal(told.length, 10)
    assertChained(told)
    assert.deepEqual((await openNews(folder, genesis, 6)).pending(), told.slice(6))
  }))

test('what is not acknowledged is said again after a restart, byte for byte; what is, is not', () =>
  inFolder(async (folder) => {
    const news = await openNews(folder, genesis, 0)
    for (let n = 0; n < 3; n += 1) await news.tell(started())
    const before = news.pending()
    assert.deepEqual((await openNews(folder, genesis, 0)).pending(), before)
    assert.deepEqual((await openNews(folder, genesis, 2)).pending(), before.slice(2))
  }))

test('a crash between the removal of what was heard and the note of it loses nothing', () =>
  inFolder(async (folder) => {
    const news = await openNews(folder, genesis, 0)
    for (let n = 0; n < 3; n += 1) await news.tell(started())
    const [, , third] = news.pending()
    await news.acknowledge(3)
    // The number of what was heard is noted elsewhere, later.
    const next = await openNews(folder, genesis, 0)
    await next.tell(started())
    const [again, fourth] = next.pending()
    assert.deepEqual(again, third)
    assert.equal(fourth?.n, 4)
    assert.equal(fourth.previous, createHash('sha256').update(canonical(third)).digest('base64url'))
  }))

test('a torn draft is passed over, and its number used', () =>
  inFolder(async (folder) => {
    const news = await openNews(folder, genesis, 0)
    await news.tell(started())
    const [place = ''] = readdirSync(folder)
    writeFileSync(join(folder, place, `000000000002.json.tmp-${newId()}`), '{"n":2,"prev')
    const next = await openNews(folder, genesis, 0)
    await next.tell(started())
    assertChained(next.pending())
    assert.equal(next.pending().length, 2)
  }))

test('more than a statement holds waits its turn, in order', () =>
  inFolder(async (folder) => {
    const news = await openNews(folder, genesis, 0)
    const count = maxNewsPerStatement + 3
    for (let n = 0; n < count; n += 1) await news.tell(started())
    assert.equal(news.pending().length, maxNewsPerStatement)
    await news.acknowledge(maxNewsPerStatement)
    assert.deepEqual(
      news.pending().map(({ n }) => n),
      [count - 2, count - 1, count],
    )
  }))

test('an action is pending while any word of it is', () =>
  inFolder(async (folder) => {
    const [one, other] = [newId(), newId()]
    const news = await openNews(folder, genesis, 0)
    await news.tell(started(one))
    await news.tell(started(other))
    await news.tell({ kind: 'cancel_acknowledged', action: one })
    await news.acknowledge(2)
    assert.deepEqual([news.isPending(one), news.isPending(other)], [true, false])
    await news.acknowledge(3)
    assert.equal(news.isPending(one), false)
  }))

test('files are removed once heard: a folder does not grow for ever', () =>
  inFolder(async (folder) => {
    const news = await openNews(folder, genesis, 0)
    for (let n = 1; n <= 30; n += 1) {
      await news.tell(started())
      await news.acknowledge(n)
    }
    const [place = ''] = readdirSync(folder)
    assert.ok(readdirSync(join(folder, place)).length <= 2)
  }))

test('another key is another chain', () =>
  inFolder(async (folder) => {
    await (await openNews(folder, genesis, 0)).tell(started())
    const other = 'H'.repeat(43)
    const news = await openNews(folder, other, 0)
    assert.deepEqual(news.pending(), [])
    await news.tell(started())
    assertChained(news.pending(), { n: 0, digest: other })
  }))
