/** What is kept, and how anybody can check it without us (`cancel.md` 6, Evidence). */
import assert from 'node:assert/strict'
import { compactVerify, importJWK } from 'jose'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { ActionEventEntry, Statement } from '@countermand/contract'
import { enrol, type TestDevice } from '../testing/device.ts'
import { broughtTo, cancel, queued, type Given } from '../testing/given.ts'
import { canonicalJson, sha256 } from '../testing/history.ts'
import { expectStatus, openServer, type TestServer } from '../testing/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await openServer()
  await server.upload('run.sh')
})
afterAll(() => server.close())

/** A script that was stopped by a cancel: everything that leaves evidence. */
const stopped = async (): Promise<Given> => {
  const given = await broughtTo('running')(server)
  const { id, device } = given
  await cancel(server, id)
  await device.sync()
  device.tell({ kind: 'cancel_acknowledged', action: id })
  await device.sync()
  device.stop(id)
  await device.sync()
  return given
}

const historyOf = async (id: string): Promise<readonly ActionEventEntry[]> => {
  const asked = { method: 'GET', path: `/api/countermand/actions/${id}/events` } as const
  const token = await server.token('Machine.Read.All')
  return expectStatus(200, await server.ask<{ value: ActionEventEntry[] }>({ ...asked, token })).value
}

async function verified(jws: string, { key }: TestDevice): Promise<Statement> {
  const { payload } = await compactVerify(jws, await importJWK(key.open, 'EdDSA'), { algorithms: ['EdDSA'] })
  return JSON.parse(Buffer.from(payload).toString()) as Statement
}

describe('a statement', () => {
  test('that caused an event is kept as it was said, beside the event', async () => {
    const { id, device } = await stopped()
    const said = new Map(device.said.map(({ jws }) => [sha256(jws), jws]))
    const kept = new Map(server.history.statements(device.machineId).map(({ digest, jws }) => [digest, jws]))
    const caused = server.history.ofAction(id).filter(({ statement }) => statement !== null)
    assert.deepEqual(
      caused.map(({ kind }) => kind.replace('action.', '')),
      ['offered', 'accepted', 'started', 'cancel_sent', 'cancel_acknowledged', 'cancelled'],
    )
    for (const { statement } of caused) {
      assert.ok(statement)
      assert.ok(said.has(statement))
      assert.equal(kept.get(statement), said.get(statement))
    }
  })

  test('is shown with the event and verifies with the device’s key, and so does what it says', async () => {
    const { id, device } = await stopped()
    const history = await historyOf(id)
    const last = history.at(-1)
    assert.equal(last?.kind, 'action.cancelled')
    assert.ok(last.statement)
    const statement = await verified(last.statement, device)
    assert.equal(statement.machineId, device.machineId)
    const [item] = statement.news
    assert.deepEqual([item?.kind, item?.action, statement.news.length], ['stopped', id, 1])
  })

  test('that brings news which changes nothing is kept all the same', async () => {
    const { id, device } = await stopped()
    device.tell({ kind: 'started', action: id, commands: [] })
    await device.sync()
    const kept = server.history.statements(device.machineId).at(-1)
    assert.equal(kept?.jws, device.said.at(-1)?.jws)
  })

  test('the items of news that were kept are one chain from the device’s key on', async () => {
    const { device } = await stopped()
    let previous = device.key.thumbprint
    let n = 0
    for (const { jws } of server.history.statements(device.machineId)) {
      for (const item of (await verified(jws, device)).news) {
        if (item.n <= n) continue
        assert.deepEqual([item.n, item.previous], [n + 1, previous])
        previous = sha256(canonicalJson(item))
        n = item.n
      }
    }
    assert.equal(n, 3)
  })

  test('an event that nobody’s device caused has none', async () => {
    const { id } = await stopped()
    const own = (await historyOf(id)).filter(({ statement }) => statement === null)
    assert.deepEqual(
      own.map(({ kind, actor }) => [kind, actor]),
      [
        ['action.requested', 'an application'],
        ['action.cancel_requested', 'ann'],
      ],
    )
  })
})

describe('the history of an action', () => {
  test('is shown oldest first, as it is kept', async () => {
    const { id } = await stopped()
    const shown = await historyOf(id)
    const kept = server.history.ofAction(id)
    assert.deepEqual(
      shown.map(({ sequence, kind, digest, previous, data }) => [sequence, kind, digest, previous, data]),
      kept.map(({ sequence, kind, digest, previous, data }) => [sequence, kind, digest, previous, data]),
    )
    const sequences = shown.map(({ sequence }) => sequence)
    assert.deepEqual(
      sequences,
      sequences.toSorted((a, b) => a - b),
    )
  })

  test('keeps every request to cancel with its own words, the repeated ones too', async () => {
    const { id } = await broughtTo('running')(server)
    await cancel(server, id)
    await cancel(server, id, { by: 'bob', comment: 'me too' })
    await cancel(server, id)
    const requests = (await historyOf(id)).filter(({ kind }) => kind === 'action.cancel_requested')
    assert.deepEqual(
      requests.map(({ actor, data }) => [actor, data.comment]),
      [
        ['ann', 'wrong host'],
        ['bob', 'me too'],
        ['ann', 'wrong host'],
      ],
    )
  })
})

describe('the chain of events', () => {
  test('of a device holds, from its first link to its head', async () => {
    const { device } = await stopped()
    assert.deepEqual(server.history.faultsOf(device.machineId), [])
  })

  test('of what belongs to no device holds', () => {
    assert.deepEqual(server.history.faultsOf('server'), [])
  })

  test('is as long as the reply says, and ends as it says', async () => {
    const { device } = await stopped()
    const { head } = await device.sync()
    const last = server.history.events().findLast(({ chain }) => chain === device.machineId)
    assert.deepEqual(head, { sequence: last?.sequence, digest: last?.digest })
  })

  test('of a device without any begins with nothing', async () => {
    const device = await enrol(server)
    const { head } = await device.sync()
    assert.equal(head.sequence, 1, 'its enrolment')
  })
})

describe('whoever owns the database', () => {
  const tampering: Readonly<Record<string, (chain: string) => string>> = {
    'changes what was said': (chain) =>
      `update events set data = replace(data, 'stopped', 'swept') where chain = '${chain}' and kind = 'action.cancelled'`,
    'changes who asked': (chain) =>
      `update events set actor = 'bob' where chain = '${chain}' and kind = 'action.cancel_requested'`,
    'changes when it was': (chain) =>
      `update events set at = at + 1 where chain = '${chain}' and kind = 'action.cancel_requested'`,
    'changes which action it was': (chain) =>
      `update events set action_id = 'x' where chain = '${chain}' and kind = 'action.started'`,
    'takes an alarm away': (chain) =>
      `update events set alarm = 1 - alarm where chain = '${chain}' and kind = 'action.cancelled'`,
    'puts another statement beside it': (chain) =>
      `update events set statement = (select statement from events where chain = '${chain}' and kind = 'action.started')
       where chain = '${chain}' and kind = 'action.cancelled'`,
    'takes one out of the middle': (chain) =>
      `delete from events where chain = '${chain}' and kind = 'action.cancel_requested'`,
    'takes the last one away': (chain) =>
      `delete from events where chain = '${chain}' and kind = 'action.cancelled'`,
  }
  test.each(Object.entries(tampering))('and %s breaks the chain', async (_, sql) => {
    const { device } = await stopped()
    assert.deepEqual(server.history.faultsOf(device.machineId), [])
    server.history.tamper(sql(device.machineId))
    assert.notDeepEqual(server.history.faultsOf(device.machineId), [])
  })

  test('and shortens the history with its head is given away by the device, once', async () => {
    const { id, device } = await queued(server)
    await device.sync()
    await device.sync()
    const chain = device.machineId
    const last = server.history.ofAction(id).at(-1)
    assert.equal(last?.kind, 'action.accepted')
    server.history.tamper(`delete from events where n = ${last.n}`)
    server.history.tamper(
      `update chains set sequence = sequence - 1, digest = '${last.previous}' where chain = '${chain}'`,
    )
    assert.deepEqual(server.history.faultsOf(chain), [], 'nothing shows here')
    const before = server.history.last()
    await device.exchange(await device.say())
    await device.exchange(await device.say())
    assert.deepEqual(
      server.history.events(before).map(({ kind, alarm }) => [kind, alarm]),
      [['device.history_contradicted', true]],
    )
  })
})
