/** Who writes at the same time as others: nobody's failure is another's, and no answer is sooner than its commit. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, test } from 'vitest'
import type { Change } from '../app/ports.ts'
import { Refusal } from '../core/errors.ts'
import { commitsIn } from '../testing/commits.ts'
import { onEachDatabase, type TestDatabase } from '../testing/databases.ts'
import { numbers } from '../testing/dice.ts'
import { deviceOf, openTestStore, type TestStore } from '../testing/store.ts'
import type { Ending } from '../testing/works.ts'
import { openPostgres } from './postgres/open.ts'

const endings: readonly Ending[] = ['well', 'refused', 'failed', 'for a second time']
const isThere = ({ rows }: TestStore, id: string): boolean =>
  rows.all('select id from devices where id = ?', id).length === 1
const isUnavailable = (thrown: unknown): boolean =>
  thrown instanceof Refusal && thrown.code === 'ServiceUnavailable'
const idsIn = ({ rows }: TestStore, column: string, table: string): readonly string[] =>
  rows
    .all(`select ${column} as id from ${table}`)
    .map(({ id }) => String(id))
    .toSorted()

const deaf: (change: Change) => void = () => undefined

/** Writes that each end differently, all at once. */
const writeAll = (store: TestStore, names: string, count: number): Promise<PromiseSettledResult<string>[]> =>
  Promise.allSettled(
    numbers(count).map((n) => {
      const ending = endings[n % endings.length] ?? 'well'
      return store.write('leaveTraces', { device: deviceOf(`${names}-${n}`), chain: 'shared', ending })
    }),
  )

/** Makes commits fail: the transaction that stores an application `doomed` breaks a promise that is looked at last. */
function doom({ rows, url }: TestStore): void {
  rows.exec('create table parents (id integer primary key)')
  rows.exec('create table orphans (parent integer references parents (id) deferrable initially deferred)')
  if (url === null) {
    rows.exec(`create trigger doom after insert on applications when new.name = 'doomed'
      begin insert into orphans values (1); end`)
    return
  }
  rows.exec(`create function doom() returns trigger language plpgsql
    as $$ begin insert into orphans values (1); return null; end $$`)
  rows.exec(`create trigger doom after insert on applications for each row when (new.name = 'doomed')
    execute function doom()`)
}

const doomed = {
  id: 'doomed',
  objectId: '',
  name: 'doomed',
  isEnabled: true,
  permissions: [],
  secrets: [],
  createdAt: null,
}

onEachDatabase((database) => {
  let store: TestStore
  let listen = deaf
  beforeAll(async () => {
    store = await openTestStore(database, { committed: (change) => listen(change) })
  })
  afterAll(() => store.close())

  test('a refusal or fault among concurrent writes is its own caller’s and nobody else’s', async () => {
    const results = await writeAll(store, 'mixed', 48)
    for (const [n, result] of results.entries()) {
      const ending = endings[n % endings.length]
      if (result.status === 'fulfilled') {
        assert.deepEqual([ending, result.value], ['well', `mixed-${n}`])
        continue
      }
      assert.notEqual(ending, 'well', String(result.reason))
      assert.equal(result.reason instanceof Refusal, ending === 'refused')
      if (ending === 'refused') assert.equal(result.reason.code, 'Conflict')
      if (ending === 'refused') assert.equal(result.reason.message, `not name of mixed-${n}`)
      if (ending === 'failed')
        assert.match(String(result.reason), new RegExp(`no way for name of mixed-${n}\\b`))
    }
  })

  test('what is refused or fails leaves no row and no event, and wakes nobody', async () => {
    const [before, told] = [store.history.last(), store.told.length]
    const results = await writeAll(store, 'traced', 48)
    const kept = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])).toSorted()
    assert.equal(kept.length, 12)
    const chains = [...kept, 'shared'].toSorted()
    assert.deepEqual(idsIn(store, 'id', "devices where id like 'traced%'"), kept)
    assert.deepEqual(idsIn(store, 'chain', "chains where chain like 'traced%'"), kept)
    assert.equal(store.history.events(before).length, 2 * kept.length)
    for (const chain of chains) assert.deepEqual(store.history.faultsOf(chain), [])
    const changes = store.told.slice(told)
    assert.deepEqual([...new Set(changes.flatMap(({ wake }) => wake))].toSorted(), chains)
    assert.equal(changes.flatMap(({ alarms }) => alarms).length, 2 * kept.length)
  })

  test('an answer comes after its commit: the moment it is there, another connection sees the row', async () => {
    const seen = numbers(60).map(async (n) => {
      await store.write('makeDevice', deviceOf(`answered-${n}`))
      return isThere(store, `answered-${n}`)
    })
    assert.deepEqual(new Set(await Promise.all(seen)), new Set([true]))
  })

  test('who listens is told after the commit and before the caller', async () => {
    const order: string[] = []
    listen = ({ wake: [chain = ''] }) => {
      const [row] = store.rows.all('select sequence from chains where chain = ?', chain)
      order.push(`${chain} told with ${Number(row?.sequence)}`)
    }
    for (const chain of ['a', 'b']) {
      await store.write('append', { chain })
      order.push(`${chain} answered`)
    }
    listen = deaf
    assert.deepEqual(order, ['a told with 1', 'a answered', 'b told with 1', 'b answered'])
  })

  test('when a commit fails, each who had part in it is told so, nothing of it stays, and the store goes on', async () => {
    doom(store)
    const ids = numbers(20).map((n) => `beside-${n}`)
    const [failed, ...beside] = await Promise.allSettled([
      store.write('keepApplication', { application: doomed, by: 'ann' }),
      ...ids.map((id) => store.write('makeDevice', deviceOf(id))),
    ])
    assert.equal(failed.status, 'rejected')
    assert.deepEqual(idsIn(store, 'id', 'applications'), [])
    for (const [n, id] of ids.entries()) assert.equal(isThere(store, id), beside[n]?.status === 'fulfilled')
    await store.write('makeDevice', deviceOf('later'))
    assert.ok(isThere(store, 'later'))
  })

  test('writers of one chain wait for each other, and each gets its turn', async () => {
    await Promise.all(numbers(150).map(() => store.write('append', { chain: 'contended' })))
    assert.deepEqual(store.history.faultsOf('contended'), [])
    assert.equal((await store.read('workOfDevices', ['contended'])).get('contended'), 150)
  })

  test('one read sees one state, however long it takes', async () => {
    const watchers = numbers(5).map(() => store.read('watch', { chain: 'watched', times: 100 }))
    const writers = numbers(60).map(() => store.write('append', { chain: 'watched' }))
    await Promise.all(writers)
    for (const seen of await Promise.all(watchers)) assert.equal(new Set(seen).size, 1, seen.join())
  })

  if (database.name === 'SQLite') onlyOnSqlite(database, () => store)
  else onlyOnPostgres(database, () => store)
})

function onlyOnSqlite(database: TestDatabase, shared: () => TestStore): void {
  test('writes of the same moment are one transaction', async () => {
    const store = shared()
    const file = join(store.folder, 'countermand.db')
    await store.write('append', { chain: 'one' })
    const before = commitsIn(file)
    await Promise.all(numbers(200).map((n) => store.write('append', { chain: `chain-${n % 7}` })))
    assert.equal(commitsIn(file) - before, 1)
    for (let n = 0; n < 5; n += 1) await store.write('append', { chain: 'one' })
    assert.equal(commitsIn(file) - before, 6, 'one that comes alone has its own')
  })

  test('when the thread that writes ends, nothing is answered that was not stored, then or later', async () => {
    const store = await openTestStore(database)
    const ids = numbers(20).map((n) => `falling-${n}`)
    const writes = ids.map((id) => store.write('makeDevice', deviceOf(id)))
    const results = await Promise.allSettled([...writes, store.write('fall', 3)])
    const later = await Promise.allSettled([store.write('makeDevice', deviceOf('later'))])
    for (const { status } of [...results, ...later]) assert.equal(status, 'rejected')
    assert.deepEqual(idsIn(store, 'id', 'devices'), [])
    assert.equal(store.deaths.length, 1)
    await store.close()
  })
}

function onlyOnPostgres(database: TestDatabase, shared: () => TestStore): void {
  test('a lost connection fails the work that was on it, and nothing else', async () => {
    const store = shared()
    const ends = (): unknown =>
      store.rows.all(`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`)
    let lost = 0
    for (let round = 0; round < 6; round += 1) {
      const ids = numbers(30).map((n) => `lost-${round}-${n}`)
      const writing = Promise.allSettled(
        ids.map((id) =>
          store.write('leaveTraces', { device: deviceOf(id), chain: `chain of ${id}`, ending: 'well' }),
        ),
      )
      await new Promise((soon) => setTimeout(soon, 3 * round))
      ends()
      for (const [n, result] of (await writing).entries()) {
        if (result.status === 'fulfilled') assert.ok(isThere(store, ids[n] ?? ''))
        else assert.ok(isUnavailable(result.reason), String(result.reason))
        if (result.status === 'rejected') lost += 1
      }
      await store.write('makeDevice', deviceOf(`after-${round}`))
    }
    assert.ok(lost > 0, 'connections were lost with work on them')
    for (const chain of idsIn(store, 'chain', 'chains')) assert.deepEqual(store.history.faultsOf(chain), [])
  })

  test('text with a NUL in it, which it cannot store, is refused', async () => {
    const written = shared().write('makeDevice', { ...deviceOf('nul'), name: 'a\0b' })
    await assert.rejects(written, { code: 'InvalidInput' })
  })

  test('a database that is told to answer before the disk has it is not heard', async () => {
    const url = (await database.fresh()) ?? ''
    const name = new URL(url).pathname.slice(1)
    const first = openPostgres(url)
    await sql`alter database ${sql.id(name)} set synchronous_commit = off`.execute(first)
    await first.destroy()
    const second = openPostgres(url)
    const { rows } = await sql<{ synchronous_commit: string }>`show synchronous_commit`.execute(second)
    await second.destroy()
    assert.deepEqual(rows, [{ synchronous_commit: 'on' }])
  })
}
