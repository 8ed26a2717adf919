/** What is sent as a device: replayed, forged, of another device, to another server. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import type { NewsItem } from '@countermand/contract'
import {
  enrol,
  enrolmentOf,
  makeKey,
  signed,
  type Said,
  type TestDevice,
} from '../../packages/server/src/testing/device.ts'
import { broughtTo } from '../../packages/server/src/testing/given.ts'
import {
  day,
  expectStatus,
  openServer,
  type Asked,
  type TestServer,
} from '../../packages/server/src/testing/server.ts'
import { attacks, stage, type Attack } from './stage.ts'

const on = stage()

interface Made {
  readonly id: string
  readonly enrolmentToken: string
}

const to = (path: string, jws: string): Asked => ({
  method: 'POST',
  path,
  body: jws,
  headers: { 'content-type': 'application/jose' },
})
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const typ = 'countermand-statement+jws'

interface Forgery {
  readonly device: TestDevice
  /** What the device says next, and is never sent. */
  readonly right: Said
  readonly server: TestServer
}

const sync =
  (forge: (given: Forgery) => Promise<string>): Attack['send'] =>
  async (server) => {
    const { device } = await broughtTo('running')(server)
    return to('/device/sync', await forge({ device, right: await device.say(), server }))
  }

const refused = { status: 401, code: 'Unauthorized' } as const
const wire = { by: 'whoever sits on the wire', ...refused } as const
const device = { by: 'a hostile device', ...refused } as const

attacks('a statement', on, [
  {
    name: 'replayed, byte for byte',
    by: 'whoever sits on the wire',
    status: 200,
    code: null,
    send: async (server) => {
      const given = await broughtTo('running')(server)
      return to('/device/sync', given.device.said.at(-1)?.jws ?? '')
    },
  },
  {
    name: 'that is older than the last one taken',
    by: 'whoever sits on the wire',
    status: 200,
    code: null,
    send: async (server) => {
      const given = await broughtTo('running')(server)
      return to('/device/sync', given.device.said[0]?.jws ?? '')
    },
  },
  {
    ...device,
    name: 'signed by another device, naming this one',
    send: sync(async ({ device: named, right, server }) => {
      const other = await enrol(server)
      return signed(other.key, right.statement, { typ, kid: named.machineId })
    }),
  },
  {
    ...device,
    name: 'of this device under the name of another in its header',
    send: sync(async ({ device: own, right, server }) => {
      const other = await enrol(server)
      return signed(own.key, right.statement, { typ, kid: other.machineId })
    }),
  },
  {
    ...device,
    name: 'that names another device inside',
    send: sync(async ({ device: own, right, server }) => {
      const { machineId } = await enrol(server)
      return signed(own.key, { ...right.statement, machineId }, { typ, kid: own.machineId })
    }),
  },
  {
    ...wire,
    name: 'that was said to another server',
    send: sync(async ({ device: own, right }) => {
      const other = await makeKey()
      return signed(own.key, { ...right.statement, server: other.thumbprint }, { typ, kid: own.machineId })
    }),
  },
  { ...wire, name: 'cut short', send: sync(({ right }) => Promise.resolve(right.jws.slice(0, -10))) },
  {
    ...wire,
    name: 'without its signature',
    send: sync(({ right }) => Promise.resolve(right.jws.slice(0, right.jws.lastIndexOf('.') + 1))),
  },
  {
    ...wire,
    name: 'signed again by a key that its header brings along',
    send: sync(async ({ device: named, right }) => {
      const key = await makeKey()
      return signed(key, right.statement, { typ, kid: named.machineId, jwk: key.open })
    }),
  },
  {
    ...wire,
    name: 'whose text was changed under its signature',
    send: sync(({ right: { jws, statement } }) => {
      const [head, , signature] = jws.split('.')
      return Promise.resolve(`${head}.${part({ ...statement, held: [] })}.${signature}`)
    }),
  },
  {
    ...wire,
    name: 'with alg none',
    send: sync(({ device: named, right }) =>
      Promise.resolve(`${part({ alg: 'none', typ, kid: named.machineId })}.${part(right.statement)}.`),
    ),
  },
  {
    ...wire,
    name: 'with alg HS256 and the public key for its secret',
    send: sync(({ device: named, right }) => {
      const text = `${part({ alg: 'HS256', typ, kid: named.machineId })}.${part(right.statement)}`
      const secret = Buffer.from(named.key.open.x ?? '', 'base64url')
      return Promise.resolve(`${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`)
    }),
  },
  {
    ...device,
    name: 'with a crit that nobody knows',
    send: sync(async ({ device: own, right }) => {
      const text = `${part({ alg: 'EdDSA', typ, kid: own.machineId, crit: ['x'], x: 1 })}.${part(right.statement)}`
      const mark = await crypto.subtle.sign('Ed25519', own.key.secret, Buffer.from(text))
      return `${text}.${Buffer.from(mark).toString('base64url')}`
    }),
  },
  {
    ...wire,
    name: 'that is the server’s own reply',
    send: async (server) => {
      const { device: own } = await broughtTo('running')(server)
      const answer = await own.send(await own.say())
      return to('/device/sync', answer.text)
    },
  },
  {
    ...wire,
    name: 'that is an enrolment',
    send: async (server) => to('/device/sync', (await enrolmentOf(server)).jws),
  },
  {
    ...device,
    name: 'with news that is nested 1000 deep',
    send: sync(async ({ device: own, right }) => {
      const deep: unknown = JSON.parse(`${'['.repeat(1000)}${']'.repeat(1000)}`)
      return signed(own.key, { ...right.statement, deep }, { typ, kid: own.machineId })
    }),
  },
])

attacks('an enrolment', on, [
  {
    ...wire,
    name: 'by the token of another server',
    send: async (server) => {
      const other = await openServer({ ownKeys: true, databaseUrl: null })
      const token = await other.enrolmentToken()
      await other.close()
      return to('/device/enrol', (await enrolmentOf(server, { token })).jws)
    },
  },
  {
    ...wire,
    name: 'by the token of another server, addressed to this one',
    send: async (server) => {
      const other = await openServer({ ownKeys: true, databaseUrl: null })
      const token = await other.enrolmentToken()
      await other.close()
      const enrolment = await enrolmentOf(server, { token, server: server.app.signer.orderThumbprint })
      return to('/device/enrol', enrolment.jws)
    },
  },
  {
    ...wire,
    name: 'by a token that another key has used',
    send: async (server) => {
      const token = await server.enrolmentToken()
      await enrol(server, { token })
      return to('/device/enrol', (await enrolmentOf(server, { token })).jws)
    },
  },
  {
    ...wire,
    name: 'by a token that has expired',
    send: async (server) => {
      const token = await server.enrolmentToken()
      server.clock.pass(day)
      return to('/device/enrol', (await enrolmentOf(server, { token })).jws)
    },
  },
  {
    ...wire,
    name: 'by a token that was revoked',
    send: async (server) => {
      const administrator = await server.token('Countermand.Administer')
      const path = '/api/countermand/enrolmenttokens'
      const made = await server.ask<Made>({ method: 'POST', path, token: administrator, body: {} })
      const { id, enrolmentToken: token } = made.body
      expectStatus(204, await server.ask({ method: 'DELETE', path: `${path}/${id}`, token: administrator }))
      return to('/device/enrol', (await enrolmentOf(server, { token })).jws)
    },
  },
  {
    ...device,
    name: 'with the key of a device that is enrolled',
    send: async (server) => {
      const { key } = await enrol(server)
      return to('/device/enrol', (await enrolmentOf(server, { key })).jws)
    },
  },
  {
    ...device,
    name: 'under the id of another device, vouched for by a key that is not its own',
    send: async (server) => {
      const [victim, key] = [await enrol(server), await makeKey()]
      const says = { machineId: victim.machineId, key: key.thumbprint }
      const former = await signed(key, says, { typ: 'countermand-former+jws', kid: victim.machineId })
      return to('/device/enrol', (await enrolmentOf(server, { key, former })).jws)
    },
  },
  {
    ...wire,
    name: 'that is a statement',
    send: async (server) => to('/device/enrol', (await (await enrol(server)).say()).jws),
  },
])

const spoken = ['chains', 'devices', 'events', 'statements'] as const

/** A device says something of an action that is another's; its own word is kept, as evidence. */
const about =
  (news: (id: string) => Parameters<TestDevice['tell']>[0], place: 'running' | 'accepted'): Attack['send'] =>
  async (server) => {
    const victim = await broughtTo(place)(server)
    const liar = await enrol(server)
    await liar.sync()
    const item: NewsItem = liar.tell(news(victim.id))
    const said = await liar.say({ news: [item] })
    return to('/device/sync', said.jws)
  }

const lie = { by: 'a hostile device', status: 200, code: null, touches: spoken } as const
attacks('a lie about another device’s action', on, [
  {
    ...lie,
    name: 'that it was stopped',
    events: ['device.unknown_action'],
    send: about(
      (action) => ({ kind: 'stopped', action, proof: 'stopped', residues: [], commands: [] }),
      'running',
    ),
  },
  {
    ...lie,
    name: 'that it has succeeded',
    events: ['device.unknown_action'],
    send: about(
      (action) => ({ kind: 'finished', action, outcome: 'succeeded', detail: null, commands: [] }),
      'running',
    ),
  },
  {
    ...lie,
    name: 'that its start was refused',
    events: ['device.unknown_action'],
    send: about((action) => ({ kind: 'refused_start', action, commands: [] }), 'accepted'),
  },
  {
    ...lie,
    name: 'by holding it',
    touches: ['devices'],
    send: async (server) => {
      const victim = await broughtTo('running')(server)
      const liar = await enrol(server)
      await liar.sync()
      const said = await liar.say({ held: [{ id: victim.id, state: 'over' }] })
      return to('/device/sync', said.jws)
    },
  },
])

let own = ''
attacks('a lie about its own action', on, [
  {
    ...lie,
    name: 'that it was stopped, which nobody has asked for: its word ends it, in nobody’s name, with an alarm (decision 0025)',
    touches: [...spoken, 'actions'],
    events: ['action.cancelled'],
    send: async (server) => {
      const given = await broughtTo('running')(server)
      own = given.id
      given.device.stop(given.id)
      return to('/device/sync', (await given.device.say()).jws)
    },
    besides: async (server) => {
      const { cancellationRequestor, countermand } = await server.read(own)
      assert.deepEqual([cancellationRequestor, countermand.cancel], [null, null])
      assert.equal(server.history.ofAction(own).at(-1)?.alarm, true)
    },
  },
])
