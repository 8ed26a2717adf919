/** Administration from one server, felt at the other; and two administrators at the same moment. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { onEachDatabase } from '../testing/databases.ts'
import { enrol, enrolmentOf, post } from '../testing/device.ts'
import { numbers } from '../testing/dice.ts'
import { openServer, type Answer, type Client, type TestServer } from '../testing/server.ts'

onEachDatabase((database) => {
  describe(database.name === 'SQLite' ? 'one server' : 'two servers on one database', () => {
    rules(async () => {
      const databaseUrl = await database.fresh()
      const here = await openServer({ databaseUrl })
      const there = databaseUrl === null ? here : await openServer({ databaseUrl })
      return { here, there }
    })
  })
})

interface Both {
  readonly here: TestServer
  readonly there: TestServer
}

const patch = (server: TestServer, token: string, { id }: Client, body: object): Promise<Answer> =>
  server.ask({ method: 'PATCH', path: `/api/countermand/applications/${id}`, token, body })
const read = async (server: TestServer, token: string): Promise<number> =>
  (await server.ask({ method: 'GET', path: '/api/machines', token })).status
/** Each has keys of its own, so it signs its own tokens; the application is the same. */
const administrator = async (server: TestServer): Promise<string> =>
  server.tokenOf(await server.client(['Countermand.Administer']))

function rules(open: () => Promise<Both>): void {
  let here: TestServer
  let there: TestServer
  beforeAll(async () => {
    ;({ here, there } = await open())
  })
  afterAll(async () => {
    if (there !== here) await there.close()
    await here.close()
  })
  test('what is disabled, or taken, at one bites at the next request to the other, however often it was let through', async () => {
    const administer = await administrator(here)
    const client = await here.client(['Machine.Read.All'])
    const token = await there.tokenOf(client)
    for (const round of numbers(10)) {
      const isEven = round % 2 === 0
      assert.equal(await read(there, token), 200)
      const off = await patch(here, administer, client, isEven ? { enabled: false } : { permissions: [] })
      assert.equal(off.status, 200, off.text)
      const seen = await Promise.all(numbers(5).map(() => read(there, token)))
      assert.deepEqual(new Set(seen), new Set([isEven ? 401 : 403]))
      await patch(here, administer, client, { enabled: true, permissions: ['Machine.Read.All'] })
    }
  })

  test('of requests that are under way while it is disabled, none that begins after the answer is let through', async () => {
    const administer = await administrator(here)
    const client = await here.client(['Machine.Read.All'])
    const token = await there.tokenOf(client)
    let isOff = false
    const late: number[] = []
    const ask = async (): Promise<void> => {
      for (const _ of numbers(20)) {
        const isLate = isOff
        const status = await read(there, token)
        if (isLate) late.push(status)
      }
    }
    const asking = numbers(8).map(ask)
    await read(there, token)
    assert.equal((await patch(here, administer, client, { enabled: false })).status, 200)
    isOff = true
    await Promise.all([...asking, ask()])
    assert.ok(late.length >= 20)
    assert.deepEqual(new Set(late), new Set([401]))
  })

  test('the last two administrators cannot take each other away', async () => {
    for (const _ of numbers(5)) {
      here.rows.exec('update applications set enabled = 0')
      const [one, two] = [
        await here.client(['Countermand.Administer']),
        await here.client(['Countermand.Administer']),
      ]
      const tokens = [await here.tokenOf(one), await there.tokenOf(two)]
      const answers = await Promise.all([
        patch(here, tokens[0] ?? '', two, { enabled: false }),
        patch(there, tokens[1] ?? '', one, { enabled: false }),
      ])
      const left = here.rows.all('select id from applications where enabled = 1')
      assert.equal(left.length, 1, answers.map(({ text }) => text).join())
      assert.equal(answers.filter(({ status }) => status === 200).length, 1)
    }
    assert.deepEqual(here.history.faultsOf('server'), [])
  })

  test('of two who give one name, one is refused', async () => {
    const administer = [await administrator(here), await administrator(there)]
    const answers = await Promise.all(
      [here, there].map((server, n) =>
        server.ask({
          method: 'POST',
          path: '/api/countermand/applications',
          token: administer[n] ?? '',
          body: { displayName: 'the same', permissions: [] },
        }),
      ),
    )
    assert.deepEqual(
      answers.map(({ status }) => status).toSorted((a, b) => a - b),
      [201, 409],
    )
  })

  test('of a device that enrols and one who revokes its token, one is first: never both', async () => {
    const administer = await administrator(there)
    for (const _ of numbers(8)) {
      const { jws, token } = await enrolmentOf(here)
      const digest = here.app.digest(token.secret)
      const [row] = here.rows.all('select id from enrolments where secret_digest = ?', digest)
      const path = `/api/countermand/enrolmenttokens/${String(row?.id)}`
      const [enrolled, revoked] = await Promise.all([
        post(here, '/device/enrol', jws),
        there.ask({ method: 'DELETE', path, token: administer }),
      ])
      const seen = [enrolled.status, revoked.status]
      assert.ok(String(seen) === '200,400' || String(seen) === '401,204', String(seen))
    }
  })

  test('of a device that speaks while it is retired, nothing is taken after it, and its chain is whole', async () => {
    const administer = await administrator(there)
    for (const _ of numbers(5)) {
      const device = await enrol(here)
      const said = await device.say()
      const path = `/api/countermand/devices/${device.machineId}/retire`
      const [, retired] = await Promise.all([
        device.send(said),
        there.ask({ method: 'POST', path, token: administer, body: {} }),
      ])
      assert.equal(retired.status, 200, retired.text)
      assert.equal((await device.send(await device.say())).status, 401)
      const [row] = here.rows.all('select retired_at from devices where id = ?', device.machineId)
      assert.equal(row?.retired_at, here.clock.now.getTime(), 'a statement does not undo it')
      assert.deepEqual(here.history.faultsOf(device.machineId), [])
    }
  })
}
