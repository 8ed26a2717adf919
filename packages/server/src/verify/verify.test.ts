/** What agents remember, a server that goes on meanwhile, a folder that cannot be written, and the other database. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { needs } from '../../../../test/needs.ts'
import { enrol, makeKey, type TestDevice } from '../testing/device.ts'
import { startPostgres, type Postgres } from '../testing/postgres.ts'
import { openServer, type TestServer } from '../testing/server.ts'
import { openPostgresSnapshot, openSqliteSnapshot } from './snapshot.ts'
import { Copy, agentFolder, faultsIn, reportsOn, type Found } from './testing/copies.ts'
import { live } from './testing/lives.ts'

let server: TestServer
beforeAll(async () => {
  server = await openServer({ databaseUrl: null })
  await server.upload('run.sh')
})
afterAll(() => server.close())

async function withCopy(run: (copy: Copy) => void | Promise<void>): Promise<void> {
  const copy = new Copy(server)
  try {
    await run(copy)
  } finally {
    copy.close()
  }
}

/** A device whose action has ended, in an exchange before the last. */
async function afterWork(): Promise<TestDevice> {
  const device = await enrol(server)
  const { id } = await server.issue(device.machineId)
  await device.bring(id, 'succeeded')
  await device.sync()
  return device
}

const shortOf = (found: readonly Found[]): readonly string[] =>
  found.map(({ kind, where }) => `${kind}: ${where}`)

test('rows as earlier versions wrote them hold: what is null says so, names stand as they were said', async () => {
  const device = await afterWork()
  await server.issue(device.machineId)
  await withCopy(async (copy) => {
    copy.run(
      `update actions set asked = json_insert(asked, '$.externalId', null, '$.scope', null),
        state = json_insert(state, '$.proof', null, '$.reason', null, '$.detail', null, '$.lateOutcome', null, '$.cancel', null, '$.finishedAt', null)`,
    )
    for (const { n, data } of copy.all('select n, data from events')) {
      const names = Object.entries<unknown>(JSON.parse(String(data))).toReversed()
      copy.run('update events set data = ? where n = ?', JSON.stringify(Object.fromEntries(names)), n ?? 0)
    }
    assert.deepEqual(await copy.found(), [])
  })
})

describe('an agent’s data folder', () => {
  test('that remembers what is kept finds nothing', async () => {
    const device = await afterWork()
    const folder = agentFolder(device, await device.sync(), newsOf(device))
    await withCopy(async (copy) => assert.deepEqual(await copy.found(folder), []))
  })

  test('finds a tail that was cut off with everything that spoke of it: an older copy holds by itself', async () => {
    const device = await afterWork()
    await withCopy(async (copy) => {
      const { id } = await server.issue(device.machineId)
      await device.bring(id, 'succeeded')
      const folder = agentFolder(device, await device.sync())
      assert.deepEqual(await copy.found(), [])
      const [found, ...others] = await copy.found(folder)
      assert.deepEqual([found?.kind, found?.chain, others], ['truncated tail', device.machineId, []])
      assert.match(found?.where ?? '', /the agent's .*sync-/)
    })
  })

  test('finds a history that was written anew with everything that spoke of it', async () => {
    const device = await enrol(server)
    const folder = agentFolder(device, await device.sync())
    await withCopy(async (copy) => {
      copy.run('update events set at = at + 1 where chain = ?', device.machineId)
      copy.rehash(device.machineId)
      assert.deepEqual(await copy.found(), [])
      assert.match(shortOf(await copy.found(folder)).join(), /^rewritten history: the agent's .*sync-[^,]*$/)
    })
  })

  test('finds news that were acknowledged and are not kept, and news that are kept otherwise', async () => {
    const device = await afterWork()
    const { head, acknowledged } = await device.sync()
    await withCopy(async (copy) => {
      const more = agentFolder(device, { head, acknowledged: acknowledged + 1 })
      assert.match(shortOf(await copy.found(more)).join(), /^truncated tail: the agent's .*sync-/)
      const [first, ...rest] = newsOf(device)
      const other = { ...first, at: '2026-02-03T04:05:07.6Z' } as (typeof rest)[number]
      const changed = agentFolder(device, { head, acknowledged }, [other, ...rest])
      assert.match(shortOf(await copy.found(changed)).join(), /^rewritten history: the agent's .*news-/)
    })
  })

  test('finds its device gone, and its key replaced or unknown', async () => {
    const device = await afterWork()
    const reply = await device.sync()
    const folder = agentFolder(device, reply)
    const stranger = agentFolder({ machineId: device.machineId, key: await makeKey() }, reply)
    await withCopy(async (copy) => {
      assert.match(shortOf(await copy.found(stranger)).join(), /^missing row: the agent's .*identity\.json$/)
      await replaced(device)
      await withCopy(async (later) =>
        assert.match(shortOf(await later.found(folder)).join(), /^added row: the agent's .*identity\.json$/),
      )
      for (const table of ['events where chain', 'chains where chain', 'statements where machine_id']) {
        copy.run(`delete from ${table} = ?`, device.machineId)
      }
      copy.run('delete from actions where machine_id = ?', device.machineId)
      copy.run('delete from devices where id = ?', device.machineId)
      assert.deepEqual(await copy.found(), [])
      assert.deepEqual(shortOf(await copy.found(folder)), ['missing row: devices'])
    })
  })
})

const newsOf = ({ said }: TestDevice): TestDevice['said'][number]['statement']['news'] => [
  ...new Map(said.flatMap(({ statement }) => statement.news).map((item) => [item.n, item])).values(),
]

/** Somebody with a token takes the device's place. */
async function replaced({ machineId }: TestDevice): Promise<void> {
  await enrol(server, { token: await server.enrolmentToken(machineId) })
}

test('a longer history that a device has reported is a fault, although the server has noted it itself', async () => {
  const device = await afterWork()
  await device.sync({ serverHead: { sequence: 99, digest: 'C'.repeat(43) } })
  await device.sync()
  await device.sync()
  await withCopy(async (copy) => {
    const [found, ...others] = await copy.found()
    assert.deepEqual([found?.kind, found?.chain, others], ['truncated tail', device.machineId, []])
    assert.match(found?.where ?? '', /device\.history_contradicted/)
    copy.run(
      'delete from events where chain = ? and kind = ?',
      device.machineId,
      'device.history_contradicted',
    )
    assert.deepEqual((await copy.found()).length, 1)
  })
})

/** Issues and ends actions until it is told to stop; answers how many there were. */
function goOn(at: TestServer, device: TestDevice): () => Promise<number> {
  const over = new AbortController()
  const run = async (): Promise<number> => {
    let count = 0
    for (; !over.signal.aborted; count += 1) {
      const { id } = await at.issue(device.machineId)
      await device.bring(id, 'succeeded')
      await device.sync()
    }
    return count
  }
  const running = run()
  return () => {
    over.abort()
    return running
  }
}

describe('beside a server that writes on', () => {
  test('everything holds at every moment, and nothing is held up', async () => {
    const device = await enrol(server)
    const folder = agentFolder(device, await device.sync())
    const stop = goOn(server, device)
    const file = join(server.folder, 'countermand.db')
    const events: number[] = []
    for (let round = 0; round < 10; round += 1) {
      const reports = await reportsOn(openSqliteSnapshot(file), [folder])
      const own = reports.filter(({ fault }) => fault !== null).map(({ chain }) => chain)
      assert.deepEqual(
        own.filter((chain) => chain === device.machineId),
        [],
      )
      events.push(reports.find(({ chain }) => chain === device.machineId)?.counts.events ?? 0)
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
    assert.ok((await stop()) > 0)
    assert.ok((events.at(-1) ?? 0) > (events[0] ?? 0), events.join())
  })

  test('one moment is seen, however long the look takes', async () => {
    const device = await afterWork()
    const snapshot = openSqliteSnapshot(join(server.folder, 'countermand.db'))
    const { id } = await server.issue(device.machineId)
    await device.bring(id, 'succeeded')
    const reports = await reportsOn(snapshot, [])
    const own = reports.find(({ chain }) => chain === device.machineId)
    assert.deepEqual([own?.counts.actions, own?.fault], [1, null])
  })
})

test('a file with its log beside it is read where nothing can be written, and nothing is left', async () => {
  const device = await afterWork()
  const folder = mkdtempSync(join(tmpdir(), 'countermand-verify-test-'))
  for (const name of ['countermand.db', 'countermand.db-wal'])
    cpSync(join(server.folder, name), join(folder, name))
  // A folder in the place of the index keeps SQLite from making one, root or not.
  mkdirSync(join(folder, 'countermand.db-shm'))
  const reports = await reportsOn(openSqliteSnapshot(join(folder, 'countermand.db')), [])
  assert.equal(reports.find(({ chain }) => chain === device.machineId)?.fault, null)
  assert.deepEqual(readdirSync(folder).length, 3)
  rmSync(folder, { recursive: true, force: true })
})

describe.skipIf(!needs('postgres'))('on PostgreSQL', () => {
  let postgres: Postgres
  beforeAll(async () => void (postgres = await startPostgres()))
  afterAll(() => postgres.stop())

  test('a whole day holds while the server writes on, and a fault is found', async () => {
    const databaseUrl = await postgres.freshDatabase()
    const own = await openServer({ databaseUrl })
    try {
      const { calm } = await live(own)
      const stop = goOn(own, await enrol(own))
      for (let round = 0; round < 3; round += 1) {
        assert.deepEqual(faultsIn(await reportsOn(await openPostgresSnapshot(databaseUrl), [])), [])
      }
      await stop()
      own.history.tamper(`update events set at = at + 1 where chain = '${calm.machineId}' and sequence = 6`)
      const found = faultsIn(await reportsOn(await openPostgresSnapshot(databaseUrl), []))
      assert.deepEqual(
        found.map(({ chain, kind }) => [chain, kind]),
        [[calm.machineId, 'changed row']],
      )
      assert.match(found[0]?.where ?? '', /^events: sequence 6,/)
    } finally {
      await own.close()
      await left(databaseUrl)
    }
  })
})

/** The test server's own look into the database ends on its own time: one that is cut off would be an error of nobody's. */
async function left(url: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const others = `select count(*) as count from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`
  while ((await client.query<{ count: number }>(others)).rows[0]?.count !== 0) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await client.end()
}
