/** In which order statements are taken, and what is not taken at all (`cancel.md` 6): refusals first. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Statement } from '@countermand/contract'
import { enrol, makeKey, outcome, post, signed, type Said, type TestDevice } from '../testing/device.ts'
import { broughtTo, cancel, kindsOf, queued, type Given } from '../testing/given.ts'
import { checkDialect, checkError } from '../testing/scenarios.ts'
import { openServer, type Answer, type TestServer } from '../testing/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await openServer()
  await server.upload('run.sh')
})
afterAll(() => server.close())

/** All that the server holds of a device and its action; equal before and after what must change nothing. */
async function stateOf({ id, device }: Given): Promise<unknown> {
  const token = await server.token('Machine.Read.All')
  const machine = await server.ask({ method: 'GET', path: `/api/machines/${device.machineId}`, token })
  return [
    await server.read(id),
    machine.body,
    server.history.last(),
    server.history.statements(device.machineId),
  ]
}

async function changesNothing(given: Given, work: () => Promise<void>): Promise<void> {
  const before = await stateOf(given)
  server.clock.pass(1_000)
  await work()
  assert.deepEqual(await stateOf(given), before)
}

const isRefused = (answer: Answer, status: 401 | 409): void => {
  assert.equal(answer.status, status, answer.text)
  checkDialect(answer)
  checkError(answer, status === 401 ? 'Unauthorized' : 'Conflict')
}
const header = (device: TestDevice, more: object = {}): object => ({
  typ: 'countermand-statement+jws',
  kid: device.machineId,
  ...more,
})
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** What is no statement of the device that it names; each is made of one that would be right. */
const forgeries: Readonly<Record<string, (device: TestDevice, right: Said) => Promise<string>>> = {
  'by another key': async (device, { statement }) => signed(await makeKey(), statement, header(device)),
  'by another key that it brings along': async (device, { statement }) => {
    const key = await makeKey()
    return signed(key, statement, header(device, { jwk: key.open }))
  },
  'by another device, in this one’s name': async (device, { statement }) => {
    const other = await enrol(server)
    return signed(other.key, statement, header(device))
  },
  'by another device about this one': async (_device, { statement }) => {
    const other = await enrol(server)
    return signed(other.key, statement, header(other))
  },
  'about another device': async (device, { statement }) => {
    const other = await enrol(server)
    return signed(device.key, { ...statement, machineId: other.machineId }, header(device))
  },
  'of a device that is not known': (device, { statement }) =>
    signed(device.key, { ...statement, machineId: 'a'.repeat(40) }, header(device, { kid: 'a'.repeat(40) })),
  'that names no device in its header': (device, { statement }) =>
    signed(device.key, statement, header(device, { kid: undefined })),
  'of another kind': (device, { statement }) =>
    signed(device.key, statement, header(device, { typ: 'countermand-enrolment+jws' })),
  'that is a reply': (device, { statement }) =>
    signed(device.key, statement, header(device, { typ: 'countermand-reply+jws' })),
  'without signature': (_device, { jws }) => Promise.resolve(jws.slice(0, jws.lastIndexOf('.') + 1)),
  'with alg none': (device, { statement }) =>
    Promise.resolve(`${part({ ...header(device), alg: 'none' })}.${part(statement)}.`),
  'whose text was changed': (_device, { jws, statement }) => {
    const [head, , signature] = jws.split('.')
    return Promise.resolve(`${head}.${part({ ...statement, bootId: 'another' })}.${signature}`)
  },
  'addressed to another server': (device, { statement }) =>
    signed(device.key, { ...statement, server: device.key.thumbprint }, header(device)),
  'without a nonce': (device, { statement: { nonce: _nonce, ...rest } }) =>
    signed(device.key, rest, header(device)),
  'without its list': (device, { statement: { held: _held, ...rest } }) =>
    signed(device.key, rest, header(device)),
  'with news of a kind that is none': (device, { statement }) => {
    const item = {
      n: 1,
      previous: device.key.thumbprint,
      at: 'x',
      action: device.machineId,
      kind: 'exploded',
    }
    return signed(device.key, { ...statement, news: [item] }, header(device))
  },
  'with the number 0': (device, { statement }) =>
    signed(device.key, { ...statement, seq: 0 }, header(device)),
  'that is plain JSON': (_device, { statement }) => Promise.resolve(JSON.stringify(statement)),
  'that is nothing': () => Promise.resolve(''),
  'that is garbage': () => Promise.resolve('a.b.c'),
}

describe('a statement is refused and changes nothing', () => {
  test.each(Object.entries(forgeries))('%s', async (_, forge) => {
    const given = await broughtTo('running')(server)
    const right = await given.device.say()
    const jws = await forge(given.device, right)
    await changesNothing(given, async () => isRefused(await post(server, '/device/sync', jws), 401))
    await given.device.exchange(right)
  })

  test.each([2, -1, 1000])('of the protocol %d, which nobody speaks here', async (protocol) => {
    const given = await broughtTo('running')(server)
    const { device } = given
    const said = await device.say({ protocol })
    await changesNothing(given, async () => {
      const answer = await device.send(said)
      assert.equal(answer.status, 400, answer.text)
      checkDialect(answer)
      checkError(answer, 'ClientVersionNotSupported')
    })
  })

  test('by the key of a device before it was enrolled again', async () => {
    const device = await enrol(server)
    const old = await device.say()
    const token = await server.enrolmentToken(device.machineId)
    const again = await enrol(server, { token })
    assert.equal(again.machineId, device.machineId)
    const { id } = await server.issue(device.machineId)
    await changesNothing({ id, device: again }, async () => isRefused(await device.send(old), 401))
  })
})

/** Says that it was cloned, exactly once, and that nothing is taken any more. */
async function isForked(given: Given, said: Said): Promise<void> {
  const { id, device } = given
  const before = await server.read(id)
  const last = server.history.last()
  isRefused(await device.send(said), 409)
  const events = server.history.events(last)
  assert.deepEqual(
    events.map(({ kind, chain, alarm }) => [kind, chain, alarm]),
    [['device.cloned', device.machineId, true]],
  )
  const token = await server.token('Machine.Read.All')
  const path = `/api/machines/${device.machineId}`
  const { body } = await server.ask<Record<string, unknown>>({ method: 'GET', path, token })
  assert.equal(body.isPotentialDuplication, true)
  assert.deepEqual(await server.read(id), before, 'nothing of it was taken')
}

async function takesNoMore(given: Given, twin: TestDevice): Promise<void> {
  twin.start(given.id)
  await changesNothing(given, async () => isRefused(await twin.send(await twin.say()), 409))
}

const forks: Readonly<Record<string, (device: TestDevice, id: string) => Promise<Said>>> = {
  'another statement under a number that was taken': async (device) =>
    device.say({ seq: device.said.length, previous: device.said.at(-2)?.statement.previous ?? '' }),
  'a number that was left out': async (device) => {
    await device.say()
    return device.say()
  },
  'the right number on another predecessor': (device) => device.say({ previous: device.key.thumbprint }),
  'a number from before, by a disk that was put back': (device) =>
    device.say({ seq: 1, previous: device.key.thumbprint }),
  'news that skips a number': (device, id) => {
    device.tell({ kind: 'cancel_acknowledged', action: id })
    const later = device.tell({ kind: 'stopped', action: id, proof: 'stopped', residues: [], commands: [] })
    return device.say({ news: [later] })
  },
  'news on another predecessor': (device, id) => {
    const item = device.tell({
      kind: 'finished',
      action: id,
      outcome: 'succeeded',
      detail: null,
      commands: [],
    })
    return device.say({ news: [{ ...item, previous: device.key.thumbprint }] })
  },
  'good news and then bad': (device, id) => {
    const good = device.tell({ kind: 'ended', action: id, commands: [outcome('Completed')] })
    const bad = device.tell({
      kind: 'finished',
      action: id,
      outcome: 'succeeded',
      detail: null,
      commands: [],
    })
    return device.say({ news: [good, { ...bad, previous: good.previous }] })
  },
}

describe('a device has two histories', () => {
  test.each(Object.entries(forks))('by %s', async (_, fork) => {
    const given = await broughtTo('running')(server)
    const twin = given.device.copy()
    await isForked(given, await fork(given.device, given.id))
    await takesNoMore(given, twin)
    await takesNoMore(given, given.device)
  })

  test('when a copy of it speaks, and the first to speak was taken', async () => {
    const given = await broughtTo('running')(server)
    const twin = given.device.copy()
    await given.device.sync()
    await isForked({ ...given, device: twin }, await twin.say())
    await takesNoMore(given, given.device)
  })

  test('until it enrols anew', async () => {
    const given = await broughtTo('running')(server)
    const twin = given.device.copy()
    await given.device.sync()
    await isForked({ ...given, device: twin }, await twin.say())
    const token = await server.enrolmentToken(given.device.machineId)
    const again = await enrol(server, { token })
    assert.equal((await again.sync()).seq, 1)
    await again.sync()
  })
})

describe('a recorded statement', () => {
  const replays: Readonly<Record<string, (given: Given) => Promise<Said>>> = {
    'that was the last one': async ({ device }) => {
      await device.sync()
      return device.said.at(-1) as Said
    },
    'that brought news': async ({ id, device }) => {
      device.finish(id)
      await device.sync()
      const said = device.said.at(-1) as Said
      await device.sync()
      return said
    },
    'from the beginning': async ({ device }) => {
      await device.sync()
      return device.said[0] as Said
    },
  }
  test.each(Object.entries(replays))('%s is answered and changes nothing', async (_, record) => {
    const given = await broughtTo('running')(server)
    const said = await record(given)
    await changesNothing(given, async () => void (await given.device.exchange(said)))
    await given.device.sync()
  })

  test('gets the present state, over its own old nonce', async () => {
    const { id, device } = await broughtTo('accepted')(server)
    const said = device.said.at(-1) as Said
    const before = await device.exchange(said)
    assert.deepEqual([before.starts, before.cancels], [[id], []])
    await cancel(server, id)
    const after = await device.exchange(said)
    assert.deepEqual([after.starts, after.cancels, after.offers], [[], [id], []])
    assert.equal(
      (await server.read(id)).countermand.cancel?.state,
      'requested',
      'and is no sign that it was heard',
    )
  })

  test('makes no offer', async () => {
    const device = await enrol(server)
    await device.sync()
    const { id } = await server.issue(device.machineId)
    const { offers } = await device.exchange(device.said[0] as Said)
    assert.deepEqual(offers, [])
    assert.deepEqual(kindsOf(server, id), ['requested'])
  })

  test('that is older than what is remembered changes nothing', async () => {
    const given = await queued(server)
    const { id, device } = given
    await device.bring(id, 'running')
    for (let syncs = 0; syncs < 70; syncs += 1) await device.sync()
    device.finish(id)
    await device.sync()
    for (const said of device.said.slice(0, 5)) {
      await changesNothing(given, async () => {
        const { seq } = await device.exchange(said)
        assert.ok(seq > said.statement.seq)
      })
    }
    await device.sync()
  })
})

describe('a device that lies', () => {
  test('about another device’s action changes nothing of it and leaves an alarm', async () => {
    const victim = await broughtTo('running')(server)
    const liar = await enrol(server)
    await cancel(server, victim.id)
    const before = await server.read(victim.id)
    const last = server.history.last()
    liar.tell({ kind: 'stopped', action: victim.id, proof: 'stopped', residues: [], commands: [] })
    const { acknowledged } = await liar.sync()
    assert.equal(acknowledged, 1, 'or it would be said for ever')
    assert.deepEqual(await server.read(victim.id), before)
    const events = server.history.events(last)
    assert.deepEqual(
      events.map(({ kind, chain, alarm }) => [kind, chain, alarm]),
      [['device.unknown_action', liar.machineId, true]],
    )
    assert.equal(events[0]?.data.action, victim.id)
  })

  test('about an action that there is not leaves an alarm', async () => {
    const liar = await enrol(server)
    const last = server.history.last()
    liar.start('00000000-0000-4000-8000-000000000000')
    await liar.sync()
    assert.deepEqual(
      server.history.events(last).map(({ kind, alarm }) => [kind, alarm]),
      [['device.unknown_action', true]],
    )
  })

  test('and lists another device’s action does not accept it', async () => {
    const victim = await broughtTo('offered')(server)
    const liar = await enrol(server)
    liar.hold(victim.id, 'accepted')
    const before = await stateOf(victim)
    const { starts, finals } = await liar.sync()
    assert.deepEqual([starts, finals], [[], [victim.id]])
    assert.deepEqual(await stateOf(victim), before)
  })

  test('that it has taken a cancel, without one, changes no phase', async () => {
    const { id, device } = await broughtTo('running')(server)
    device.tell({ kind: 'cancel_acknowledged', action: id })
    await device.sync()
    assert.equal((await server.read(id)).status, 'InProgress')
    const kept = server.history.statements(device.machineId).at(-1)
    assert.equal(kept?.jws, device.said.at(-1)?.jws, 'and what it said is kept')
  })

  /** Nobody here knows of a cancel: the device lies, or the server was put back from a backup that has none. */
  test('that it was stopped, without a cancel, ends the action by that word, and leaves an alarm', async () => {
    const { id, device } = await broughtTo('running')(server)
    device.stop(id)
    await device.sync()
    const { status, cancellationRequestor, countermand } = await server.read(id)
    assert.deepEqual([status, cancellationRequestor, countermand.proof], ['Cancelled', null, 'stopped'])
    const [last] = server.history.ofAction(id).slice(-1)
    assert.deepEqual([last?.kind, last?.alarm], ['action.cancelled', true])
  })

  test('that an action ran which was never offered changes nothing', async () => {
    const { id, device } = await queued(server)
    device.start(id)
    device.finish(id)
    await device.sync({ held: [] })
    const { status, countermand } = await server.read(id)
    assert.deepEqual([status, countermand.effect.state], ['Pending', 'none'])
    const kept = server.history.statements(device.machineId).at(-1)
    assert.equal(kept?.jws, device.said.at(-1)?.jws, 'and what it said is kept')
  })
})

describe.each<Partial<Statement>>([{ epoch: '00000000-0000-4000-8000-000000000000' }, { epoch: null }])(
  'a statement that does not know this epoch: %j',
  (foreign) => {
    test('offers nothing, whatever is queued', async () => {
      const { id, device } = await queued(server)
      const { offers, epoch } = await device.exchange(await device.say(foreign))
      assert.deepEqual(offers, [])
      assert.notEqual(epoch, foreign.epoch)
      assert.deepEqual(kindsOf(server, id), ['requested'])
    })

    test('offers nothing again that was offered', async () => {
      const { device } = await broughtTo('offered')(server)
      const { offers } = await device.exchange(await device.say(foreign))
      assert.deepEqual(offers, [])
    })

    test.each(['offered', 'accepted', 'running'] as const)(
      'proves nothing by its list about an action that is %s',
      async (place) => {
        const { id, device } = await broughtTo(place)(server)
        await cancel(server, id)
        const before = kindsOf(server, id)
        device.forget(id)
        const { cancels } = await device.exchange(await device.say(foreign))
        assert.deepEqual(cancels, [id])
        assert.deepEqual(kindsOf(server, id), before)
      },
    )
  },
)
