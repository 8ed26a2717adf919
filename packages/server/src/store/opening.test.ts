/** Opening a database: empty, opened before, by two at once, or not there. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { test } from 'vitest'
import { compose } from '../compose.ts'
import { readConfig } from '../config/index.ts'
import { onEachDatabase, type TestDatabase } from '../testing/databases.ts'
import { enrol } from '../testing/device.ts'
import { cancel, kindsOf } from '../testing/given.ts'
import { freePort } from '../testing/postgres.ts'
import { openRows, type Rows } from '../testing/rows.ts'
import { openServer } from '../testing/server.ts'
import { deviceOf, orderOf } from '../testing/store.ts'
import { openPostgres } from './postgres/open.ts'
import { openSqlite } from './sqlite/open.ts'
import { migrate } from './migrations/index.ts'
import { roomsOf } from './rooms.ts'
import { nothingTouched } from './touched.ts'

const columns = `select table_name, column_name, data_type, is_nullable, column_default
  from information_schema.columns where table_schema = 'public' order by table_name, column_name`
const indexes = `select indexname, indexdef from pg_indexes where schemaname = 'public' order by indexname`
const connected = `select pid from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid()`
const everything = 'select type, name, sql from sqlite_master order by type, name'

const schemaOf = ({ all }: Rows, url: string | null): unknown =>
  url === null ? all(everything) : [all(columns), all(indexes)]
const ids = (list: readonly { readonly id: string }[]) => list.map(({ id }) => id)
const applied = ({ all }: Rows): unknown => all('select * from kysely_migration order by name')

onEachDatabase((database) => {
  test('a database that is up to date stays as it is', async () => {
    const databaseUrl = await database.fresh()
    const dataFolder = mkdtempSync(join(tmpdir(), 'countermand-opening-'))
    const file = join(dataFolder, 'countermand.db')
    const open = () => (databaseUrl === null ? openSqlite(file, 'alone').db : openPostgres(databaseUrl))
    const first = open()
    await migrate(first)
    await first.destroy()
    const rows = openRows({ dataFolder, databaseUrl })
    const before = [schemaOf(rows, databaseUrl), applied(rows)]
    const second = open()
    await migrate(second)
    await migrate(second)
    await second.destroy()
    assert.deepEqual([schemaOf(rows, databaseUrl), applied(rows)], before)
    assert.match(JSON.stringify(before), /actions_live.*0001-start/s)
    rows.close()
    rmSync(dataFolder, { recursive: true })
  })

  test('a database from before 0002 is read as it was written: its actions, their deadlines, the heads of its chains', async () => {
    const databaseUrl = await database.fresh()
    const dataFolder = mkdtempSync(join(tmpdir(), 'countermand-opening-'))
    const file = join(dataFolder, 'countermand.db')
    const db = databaseUrl === null ? openSqlite(file, 'alone').db : openPostgres(databaseUrl)
    await migrate(db, '0001-start')
    const deadlines = { waiting: 1_795_522_014_582, over: null }
    for (const [id, deadline] of Object.entries(deadlines)) {
      const { createdAt, ...order } = orderOf(id, 'device')
      const asked = JSON.stringify({ ...order, createdAt: createdAt.getTime() })
      const rest = {
        attempt: 0,
        proof: null,
        reason: null,
        effect: { state: 'none', residues: [] },
        commands: [],
      }
      const times = {
        detail: null,
        lateOutcome: null,
        cancel: null,
        updatedAt: createdAt.getTime(),
        finishedAt: deadline,
      }
      const phase = deadline === null ? 'succeeded' : 'queued'
      await sql`insert into actions
        (id, machine_id, type, requestor, created_at, asked, state, phase, version, live, deadline_at, last_event)
        values (${id}, 'device', 'LiveResponse', ${order.requestor}, ${createdAt.getTime()}, ${asked},
          ${JSON.stringify({ ...rest, ...times })}, ${phase}, 1, ${deadline === null ? 0 : 1}, ${deadline}, null)`.execute(
        db,
      )
    }
    await sql`insert into chains (chain, sequence, digest) values ('device', 7, 'digest of seven')`.execute(
      db,
    )

    await migrate(db)
    const { actions, devices } = roomsOf(db, nothingTouched())
    const found = async (id: string) => (await actions.find(id))?.deadlineAt?.getTime() ?? null
    assert.deepEqual({ waiting: await found('waiting'), over: await found('over') }, deadlines)
    assert.deepEqual((await actions.find('waiting'))?.createdAt, orderOf('waiting', 'device').createdAt)
    assert.deepEqual(ids(await actions.liveOf('device')), ['waiting'])
    assert.deepEqual(ids(await actions.sessions(10)), ['waiting'])
    assert.deepEqual(ids(await actions.toLookAt(new Date(deadlines.waiting), 10)), ['waiting'])
    assert.deepEqual({ ...(await devices.headOf('device')) }, { sequence: 7, digest: 'digest of seven' })
    await db.destroy()
    rmSync(dataFolder, { recursive: true })
  })

  test('a database from before 0003 counts its open live responses, and has devices that said nothing of progress', async () => {
    const databaseUrl = await database.fresh()
    const dataFolder = mkdtempSync(join(tmpdir(), 'countermand-opening-'))
    const file = join(dataFolder, 'countermand.db')
    const db = databaseUrl === null ? openSqlite(file, 'alone').db : openPostgres(databaseUrl)
    await migrate(db, '0002-no-index-on-the-way')
    const before = ['queued', 'running', 'over', 'scanning'] as const
    for (const [n, id] of before.entries()) {
      const { createdAt, parameters, reversible, runLimitMs } = orderOf(id, 'device')
      const effect = { state: 'none', residues: [] }
      const state = JSON.stringify({ effect, cancel: null, finishedAt: null, deadlineAt: n, updatedAt: n })
      const asked = JSON.stringify({ parameters, reversible, runLimitMs })
      const [phase, live] = id === 'over' ? ['succeeded', 0] : [id === 'queued' ? id : 'running', 1]
      await sql`insert into actions
        (id, machine_id, type, requestor, created_at, asked, state, phase, version, maybe_live, look_at, last_event)
        values (${id}, 'device', ${id === 'scanning' ? 'RunAntiVirusScan' : 'LiveResponse'}, 'ann',
          ${createdAt.getTime()}, ${asked}, ${state}, ${phase}, 1, ${live}, ${n}, null)`.execute(db)
    }
    const { order } = deviceOf('device')
    await sql`insert into devices (id, name, name_key, capabilities, first_seen, tags, statement_order)
      values ('device', 'x', 'x', '{}', 1, '[]', ${JSON.stringify(order)})`.execute(db)

    await migrate(db)
    const { actions, devices } = roomsOf(db, nothingTouched())
    assert.deepEqual(ids(await actions.sessions(10)), ['queued', 'running'])
    assert.equal((await devices.find('device'))?.progress, null)
    assert.deepEqual([...(await devices.progressOf(['device']))], [])
    await db.destroy()
    rmSync(dataFolder, { recursive: true })
  })

  test('a database from before 0005 has devices without labels, whose addresses nobody has written down', async () => {
    const databaseUrl = await database.fresh()
    const dataFolder = mkdtempSync(join(tmpdir(), 'countermand-opening-'))
    const file = join(dataFolder, 'countermand.db')
    const db = databaseUrl === null ? openSqlite(file, 'alone').db : openPostgres(databaseUrl)
    await migrate(db, '0003-sessions-and-progress')
    const order = JSON.stringify(deviceOf('device').order)
    await sql`insert into devices (id, name, name_key, capabilities, first_seen, tags, statement_order)
      values ('device', 'x', 'x', '{}', 1, '["old"]', ${order})`.execute(db)

    await migrate(db)
    const { devices } = roomsOf(db, nothingTouched())
    const device = await devices.find('device')
    const { tags, deviceValue, addresses, logons } = device ?? {}
    assert.deepEqual([tags, deviceValue, addresses, logons], [['old'], 'Normal', [], []])
    assert.deepEqual(ids(await devices.withTag('old', false)), ['device'])
    await db.destroy()
    rmSync(dataFolder, { recursive: true })
  })

  test('a database from before 0006 has applications with the secret that they had, tokens that can be revoked, and devices', async () => {
    const databaseUrl = await database.fresh()
    const dataFolder = mkdtempSync(join(tmpdir(), 'countermand-opening-'))
    const file = join(dataFolder, 'countermand.db')
    const db = databaseUrl === null ? openSqlite(file, 'alone').db : openPostgres(databaseUrl)
    await migrate(db, '0005-labels-and-sightings')
    await sql`insert into applications (id, object_id, name, secret_digest, permissions)
      values ('client', 'object', 'a playbook', 'digest', '["Machine.Scan"]')`.execute(db)
    for (const digest of ['one', 'two'])
      await sql`insert into enrolments (secret_digest, expires_at) values (${digest}, 17)`.execute(db)
    const order = JSON.stringify(deviceOf('device').order)
    await sql`insert into devices (id, name, name_key, capabilities, first_seen, tags, statement_order)
      values ('device', 'x', 'x', '{}', 1, '[]', ${order})`.execute(db)

    await migrate(db)
    const { applications, enrolments, devices } = roomsOf(db, nothingTouched())
    const { secrets, isEnabled, permissions, createdAt } = (await applications.find('client')) ?? {}
    assert.deepEqual([isEnabled, permissions, createdAt], [true, ['Machine.Scan'], null])
    const [secret, ...more] = secrets ?? []
    assert.deepEqual([secret?.digest, secret?.endsAt, secret?.hint, more], ['digest', null, null, []])
    assert.match(secret?.keyId ?? '', /^[0-9a-f-]{36}$/)
    const tokens = await enrolments.list()
    assert.equal(new Set(tokens.map(({ id }) => id)).size, 2)
    assert.deepEqual(await enrolments.findById(tokens[0]?.id ?? ''), tokens[0])
    const { givenName, keyRevokedAt, retiredAt } = (await devices.find('device')) ?? {}
    assert.deepEqual([givenName, keyRevokedAt, retiredAt], [null, null, null])
    await db.destroy()
    rmSync(dataFolder, { recursive: true })
  })

  test('a database from before 0009 has devices that stand isolated as they did, and are not restricted', async () => {
    const databaseUrl = await database.fresh()
    const dataFolder = mkdtempSync(join(tmpdir(), 'countermand-opening-'))
    const file = join(dataFolder, 'countermand.db')
    const db = databaseUrl === null ? openSqlite(file, 'alone').db : openPostgres(databaseUrl)
    await migrate(db, '0008-posture')
    const order = JSON.stringify(deviceOf('device').order)
    const isolated = { action: 'a', type: 'Full' }
    const before = {
      generation: 3,
      isolation: { ...isolated, allow: [], confirm: 'revert' },
      server: ['192.0.2.1'],
      base: isolated,
      reported: { taken: 3, stands: 3, isolation: isolated },
      since: 17,
      shown: { state: 'Isolated', ...isolated, since: 17, confirmed: true },
    }
    for (const [id, posture] of [
      ['isolated', JSON.stringify(before)],
      ['untold', null],
    ])
      await sql`insert into devices (id, name, name_key, capabilities, first_seen, tags, statement_order, posture)
        values (${id}, 'x', 'x', '{}', 1, '[]', ${order}, ${posture})`.execute(db)

    await migrate(db)
    const { devices } = roomsOf(db, nothingTouched())
    const { stances } = (await devices.find('isolated')) ?? {}
    const passage = { allow: [], confirm: 'revert', server: ['192.0.2.1'] }
    assert.deepEqual(stances?.isolation, {
      ordered: { generation: 3, ...isolated, passage },
      base: isolated,
      reported: { taken: 3, stands: 3, ...isolated },
      since: 17,
    })
    const untold = (await devices.find('untold'))?.stances
    assert.deepEqual(stances.restriction, untold?.restriction)
    assert.equal(untold?.isolation.ordered.generation, 0)
    await db.destroy()
    rmSync(dataFolder, { recursive: true })
  })

  test('a server over a database that was opened before is the same installation, with all that was stored', async () => {
    const before = await openServer({ databaseUrl: await database.fresh() })
    await before.upload('run.sh')
    const device = await enrol(before)
    const { id } = await before.issue(device.machineId)
    const after = await before.restart()
    device.server = after
    assert.deepEqual(after.app.identity, before.app.identity)
    assert.match(after.app.identity.tenantId, /^[0-9a-f-]{36}$/)
    assert.notEqual(after.app.identity.tenantId, after.app.identity.epoch)
    assert.deepEqual(
      (await device.sync()).offers.map((offer) => offer.id),
      [id],
    )
    await after.close()
  })

  test('a column that a newer server adds meanwhile disturbs nobody', async () => {
    const server = await openServer({ databaseUrl: await database.fresh() })
    await server.upload('run.sh')
    const device = await enrol(server)
    const takeBack = async (): Promise<void> => {
      const { id } = await server.issue(device.machineId)
      await device.bring(id, 'running')
      assert.equal((await cancel(server, id)).status, 'InProgress')
      device.stop(id)
      await device.sync()
      const { status, requestor, countermand } = await server.read(id)
      assert.deepEqual([status, requestor, countermand.proof], ['Cancelled', 'an application', 'stopped'])
    }
    await takeBack()
    server.rows.exec('alter table actions add column later integer not null default 7')
    await takeBack()
    await server.close()
  })

  if (database.name === 'PostgreSQL') onlyOnPostgres(database)
})

function onlyOnPostgres(database: TestDatabase): void {
  test('servers that open an empty database at the same time agree on its names', async () => {
    const databaseUrl = await database.fresh()
    const servers = await Promise.all([1, 2, 3].map(() => openServer({ databaseUrl })))
    const [first, ...others] = servers.map(({ app }) => app.identity)
    for (const identity of others) assert.deepEqual(identity, first)
    await Promise.all(servers.map((server) => server.close()))
  })

  test('on PostgreSQL an action is issued, run and cancelled with proof, and nothing of it is in the folder', async () => {
    const server = await openServer({ databaseUrl: await database.fresh() })
    await server.upload('run.sh')
    const device = await enrol(server)
    const { id } = await server.issue(device.machineId)
    await device.bring(id, 'running')
    assert.equal((await cancel(server, id)).status, 'InProgress')
    assert.deepEqual((await device.sync()).cancels, [id])
    device.stop(id)
    await device.sync()
    const { status, countermand } = await server.read(id)
    assert.deepEqual([status, countermand.proof], ['Cancelled', 'stopped'])
    assert.equal(kindsOf(server, id).at(-1), 'cancelled')
    const [said] = device.said.slice(-1)
    const kept = server.history.statements(device.machineId).map(({ jws }) => jws)
    assert.ok(said && kept.includes(said.jws), 'the statement that proves it is kept')
    assert.equal(existsSync(join(server.folder, 'countermand.db')), false)
    await server.close()
  })

  test('COUNTERMAND_DATABASE_URL starts a server on it', { timeout: 60_000 }, async () => {
    const data = mkdtempSync(join(tmpdir(), 'countermand-opening-'))
    const [url, port] = [(await database.fresh()) ?? '', await freePort()]
    const env = {
      COUNTERMAND_DATABASE_URL: url,
      COUNTERMAND_DATA: data,
      COUNTERMAND_LISTEN: `127.0.0.1:${port}`,
      COUNTERMAND_NO_AGENT: '1',
    }
    const main = join(import.meta.dirname, '../main.ts')
    const server = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = new Promise((resolve) => server.once('exit', resolve))
    let said = ''
    for await (const text of server.stdout) {
      said += String(text)
      if (said.includes('countermand is ready')) break
    }
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`)
    assert.equal(ready.status, 200, said)
    server.kill('SIGTERM')
    assert.equal(await ended, 0)
    const rows = openRows({ dataFolder: data, databaseUrl: url })
    assert.equal(rows.all('select * from applications').length, 1, 'its first client is stored there')
    rows.close()
    rmSync(data, { recursive: true })
  })

  test('a database that is not there, or not ours, is an error at the start, and no connection stays', async () => {
    const data = mkdtempSync(join(tmpdir(), 'countermand-opening-'))
    const start = (url: string) =>
      compose(readConfig(['--data', data], { COUNTERMAND_DATABASE_URL: url }, true), { logLevel: 'silent' })
    await assert.rejects(start(`postgres://nobody@127.0.0.1:${await freePort()}/nowhere`), {
      code: 'ECONNREFUSED',
    })
    const url = (await database.fresh()) ?? ''
    await assert.rejects(start(url.replace(/:[^:]*@/, ':wrong@')), { code: '28P01' })
    const rows = openRows({ dataFolder: data, databaseUrl: url })
    rows.exec('create table settings (of_somebody_else text)')
    await assert.rejects(start(url), { code: '42P07' })
    const connections = (): number => rows.all(connected).length
    for (let tries = 0; tries < 100 && connections() > 0; tries += 1) await new Promise(setImmediate)
    assert.equal(connections(), 0)
    rows.close()
    rmSync(data, { recursive: true })
  })
}
