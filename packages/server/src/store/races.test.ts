/** Whoever asks at the same time as others, of one server or of two: somebody is first, and everybody is told so. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Enrolled, Reply } from '@countermand/contract'
import { playRound, type Nodes } from '../testing/cancel-round.ts'
import { onEachDatabase } from '../testing/databases.ts'
import { enrol, enrolmentOf, makeKey, opened, post } from '../testing/device.ts'
import { dice, numbers, seed } from '../testing/dice.ts'
import { cancel, kindsOf } from '../testing/given.ts'
import {
  form,
  impatient,
  openServer,
  runScript,
  unlimited,
  type Answer,
  type ErrorBody,
} from '../testing/server.ts'

onEachDatabase((database) => {
  // What two servers on one database promise, one of them promises as well.
  describe(database.name === 'SQLite' ? 'one server' : 'two servers on one database', () => {
    rules(async (more = []) => {
      const databaseUrl = await database.fresh()
      const options = { databaseUrl, flags: [...unlimited, ...impatient, ...more] }
      const first = await openServer(options)
      return databaseUrl === null ? [first] : [first, await openServer(options)]
    })
  })
})

const statusesOf = (answers: readonly Answer[]): readonly number[] =>
  answers.map(({ status }) => status).toSorted((a, b) => a - b)
const codesOf = (answers: readonly Answer[]): ReadonlySet<string> =>
  new Set(
    answers
      .filter(({ status }) => status >= 400)
      .map(({ text }) => (JSON.parse(text) as ErrorBody).error.code),
  )
const once = (status: number, times: number, other: number): readonly number[] =>
  [status, ...numbers(times - 1).map(() => other)].toSorted((a, b) => a - b)

function rules(open: (flags?: readonly string[]) => Promise<Nodes>): void {
  let nodes: Nodes
  beforeAll(async () => {
    nodes = await open()
    await nodes[0].upload('run.sh')
  })
  afterAll(async () => {
    for (const node of nodes) await node.close()
  })

  /** Asks many times at once, each time another server. */
  const ask = <Item>(items: readonly Item[], how: (node: Nodes[0], item: Item) => Promise<Answer>) =>
    Promise.all(items.map((item, n) => how(nodes[n % nodes.length] ?? nodes[0], item)))
  const count = (table: string): number =>
    Number(nodes[0].rows.all(`select count(*) as n from ${table}`)[0]?.n)
  const happened = (kind: string): number => count(`events where kind = '${kind}'`)

  test(
    'of a cancel and an offer one is first: never both, one end, no version lost',
    { timeout: 120_000 },
    async () => {
      const device = await enrol(nodes[0])
      const roll = dice(seed)
      const lead = { ms: 1 }
      const firsts = new Set<boolean>()
      for (const round of numbers(25)) {
        const first = await playRound(nodes, device, roll, lead).catch((thrown: unknown) => {
          throw new Error(`COUNTERMAND_SEED=${seed}, round ${round}`, { cause: thrown })
        })
        firsts.add(first)
      }
      assert.deepEqual(firsts, new Set([true, false]), `COUNTERMAND_SEED=${seed}: both came first at times`)
    },
  )

  test('of ten devices with one token, one enrols', async () => {
    const token = await nodes[0].enrolmentToken()
    const requests = await Promise.all(numbers(10).map(() => enrolmentOf(nodes[0], { token })))
    const before = [count('devices'), happened('device.enrolled')]
    const answers = await ask(requests, (node, { jws }) => post(node, '/device/enrol', jws))
    assert.deepEqual(statusesOf(answers), once(200, 10, 401))
    assert.deepEqual(
      [count('devices'), happened('device.enrolled')],
      before.map((n) => n + 1),
    )
  })

  test('a device that enrols ten times at once with one token is one device, and told the same each time', async () => {
    const [token, key] = [await nodes[0].enrolmentToken(), await makeKey()]
    const requests = await Promise.all(numbers(10).map(() => enrolmentOf(nodes[0], { token, key })))
    const before = [count('devices'), happened('device.enrolled')]
    const answers = await ask(requests, (node, { jws }) => post(node, '/device/enrol', jws))
    assert.deepEqual(statusesOf(answers), once(200, 10, 200))
    const { orderKey } = requests[0]?.token ?? assert.fail()
    const said = await Promise.all(
      answers.map(({ text }) => opened<Enrolled>(text, orderKey, 'countermand-enrolled+jws')),
    )
    assert.equal(new Set(said.map(({ machineId }) => machineId)).size, 1)
    assert.deepEqual(
      [count('devices'), happened('device.enrolled')],
      before.map((n) => n + 1),
    )
  })

  test('two that enrol as one device follow each other, and the last one has it', async () => {
    const { machineId } = await enrol(nodes[0])
    const requests = await Promise.all(
      numbers(2).map(async () => enrolmentOf(nodes[0], { token: await nodes[0].enrolmentToken(machineId) })),
    )
    const answers = await ask(requests, (node, { jws }) => post(node, '/device/enrol', jws))
    assert.deepEqual(statusesOf(answers), [200, 200])
    const enrolled = nodes[0].history.events().filter(({ chain }) => chain === machineId)
    assert.deepEqual(
      enrolled.map(({ data }) => data.again),
      [false, true, true],
    )
    const device = await nodes[0].app.store.read('device', machineId)
    assert.equal(device?.keyThumbprint, enrolled.at(-1)?.data.key)
  })

  test('a statement that comes ten times at once is taken once, and answered each time', async () => {
    const device = await enrol(nodes[0])
    const { id } = await nodes[0].issue(device.machineId)
    await device.bring(id, 'accepted')
    device.start(id)
    const said = await device.say()
    const answers = await ask(numbers(10), (node) => post(node, '/device/sync', said.jws))
    assert.deepEqual(statusesOf(answers), once(200, 10, 200))
    const replies = await Promise.all(
      answers.map(({ text }) => opened<Reply>(text, device.orderKey, 'countermand-reply+jws')),
    )
    for (const { nonce, seq, acknowledged } of replies) {
      assert.deepEqual([nonce, seq, acknowledged], [said.statement.nonce, said.statement.seq, 1])
    }
    assert.equal(kindsOf(nodes[0], id).filter((kind) => kind === 'started').length, 1)
    const kept = nodes[0].history.statements(device.machineId).filter(({ jws }) => jws === said.jws)
    assert.equal(kept.length, 1)
    for (const reply of replies.slice(0, 1)) device.obey(reply)
    device.finish(id)
    await device.sync()
    assert.equal((await nodes[0].read(id)).status, 'Succeeded')
  })

  test('of two different statements with one number, one is taken, and the device counts as copied', async () => {
    for (let round = 0; round < 4; round += 1) {
      const device = await enrol(nodes[0])
      await device.sync()
      const twin = device.copy()
      const said = [await device.say(), await twin.say()]
      const answers = await ask(said, (node, { jws }) => post(node, '/device/sync', jws))
      assert.deepEqual(statusesOf(answers), [200, 409])
      const later = [await device.say(), await twin.say()]
      assert.deepEqual(
        statusesOf(await ask(later, (node, { jws }) => post(node, '/device/sync', jws))),
        [409, 409],
      )
      const kinds = nodes[0].history.events().filter(({ chain }) => chain === device.machineId)
      assert.equal(kinds.filter(({ kind }) => kind === 'device.cloned').length, 1)
    }
  })

  test('of several actions of one type for one device, one is issued', async () => {
    const { machineId } = await enrol(nodes[0])
    const body = { Comment: 'case 17', Commands: [runScript('run.sh')] }
    const path = `/api/machines/${machineId}/runliveresponse`
    for (let round = 0; round < 12; round += 1) {
      const before = count('actions')
      const answers = await ask(numbers(4), async (node) =>
        node.ask({ method: 'POST', path, body, token: await node.token('Machine.LiveResponse') }),
      )
      assert.deepEqual(statusesOf(answers), once(201, 4, 400))
      assert.deepEqual(codesOf(answers), new Set(['ActiveRequestAlreadyExists']))
      assert.equal(count('actions'), before + 1)
      const issued = answers.find(({ status }) => status === 201) as Answer<{ id: string }>
      await cancel(nodes[0], issued.body.id)
    }
  })

  test(
    'of more live responses than may be open, as many are issued as may be',
    { timeout: 60_000 },
    async () => {
      const few = await open(['--sessions', '3'])
      await few[0].upload('run.sh')
      const devices = await Promise.all(numbers(8).map(() => enrol(few[0])))
      const body = { Comment: 'case 17', Commands: [runScript('run.sh')] }
      for (let round = 0; round < 6; round += 1) {
        const answers = await Promise.all(
          devices.map(async ({ machineId }, n) => {
            const node = few[n % few.length] ?? few[0]
            const path = `/api/machines/${machineId}/runliveresponse`
            const token = await node.token('Machine.LiveResponse')
            return node.ask<{ id: string }>({ method: 'POST', path, body, token })
          }),
        )
        assert.deepEqual(statusesOf(answers), [201, 201, 201, 429, 429, 429, 429, 429])
        for (const { status, body: made } of answers) if (status === 201) await cancel(few[0], made.id)
      }
      for (const node of few) await node.close()
    },
  )

  test('of several files brought under one name, one is stored', async () => {
    for (let round = 0; round < 6; round += 1) {
      const fileName = `round-${round}.sh`
      const answers = await ask(numbers(4), async (node) => {
        const sent = { ...form(fileName, `# ${Math.random()}`), token: await node.token('Library.Manage') }
        return node.ask({ method: 'POST', path: '/api/libraryfiles', ...sent })
      })
      assert.deepEqual(statusesOf(answers), once(200, 4, 400))
      assert.deepEqual(codesOf(answers), new Set(['InvalidInput']))
    }
    assert.equal(happened('library.uploaded'), 7, 'and run.sh')
  })

  test('after all of that every chain is whole, every history complete, and every head the last link', async () => {
    const [{ app, history, rows }] = nodes
    const chains = rows.all('select chain, sequence, digest from chains')
    assert.ok(chains.length > 10)
    for (const { chain, sequence, digest } of chains) {
      assert.deepEqual(history.faultsOf(String(chain)), [])
      const device = await app.store.read('device', String(chain))
      if (device !== null) assert.deepEqual(device.head, { sequence, digest })
    }
    const ids = rows.all('select id from actions').map(({ id }) => String(id))
    assert.ok(ids.length > 25)
    for (const id of ids) {
      const told = (await app.store.read('actionEvents', id)).map(({ sequence, digest }) => ({
        sequence,
        digest,
      }))
      const kept = history.ofAction(id).map(({ sequence, digest }) => ({ sequence, digest }))
      assert.deepEqual(told, kept)
    }
  })
}
