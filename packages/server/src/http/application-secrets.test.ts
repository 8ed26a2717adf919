/** Secrets of an application: several at the same time, each until it is removed or expires. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import {
  as,
  ask,
  askToken,
  given,
  keysOf,
  missing,
  notPermitted,
  of,
  path,
  shown,
  unknown,
  type Given,
} from '../testing/applications.ts'
import { scenarios, serverOfTheFile, type Subject } from '../testing/scenarios.ts'
import { day, expectStatus, type TestServer } from '../testing/server.ts'

const adding: Subject<Given> = { method: 'POST', path: (of_) => `${of(of_)}/secrets`, given, as }
const withSecrets =
  (count: number) =>
  async (server: TestServer): Promise<Given> => {
    const made = await given(server)
    for (let n = 0; n < count; n += 1) await ask(server, 'POST', `${of(made)}/secrets`, {})
    return made
  }
scenarios('POST /api/countermand/applications/{clientId}/secrets', adding, [
  ...notPermitted('a further secret'),
  { ...missing, path: () => `${path}/${unknown}/secrets` },
  {
    name: 'that expires in no time is refused',
    body: { expiresInDays: 0 },
    status: 400,
    code: 'InvalidRequestBody',
    events: [],
  },
  {
    name: 'with a name that is none is refused',
    body: { displayName: '' },
    status: 400,
    code: 'InvalidInput',
    events: [],
  },
  {
    name: 'beyond five is refused',
    given: withSecrets(4),
    status: 400,
    code: 'BadRequest',
    says: 'An application has at most 5 secrets. Remove one first.',
    events: [],
  },
  {
    name: 'is shown once, and the others stay good',
    body: { displayName: 'from February on', expiresInDays: 30 },
    status: 201,
    reply: {
      displayName: 'from February on',
      startDateTime: '2026-02-03T04:05:06.12Z',
      endDateTime: '2026-03-05T04:05:06.12Z',
    },
    events: ['application.secret_added'],
    check: async ({ text }, { client }, server) => {
      const { secretText } = JSON.parse(text) as { secretText: string }
      for (const secret of [client.secret, secretText])
        assert.deepEqual(await askToken(server, client.id, secret), [200, 'a token', 0])
      assert.ok(!JSON.stringify([await shown(server, client), server.history.events()]).includes(secretText))
    },
  },
])

const removing: Subject<Given & { readonly keyId: string }> = {
  method: 'DELETE',
  path: (now) => `${of(now)}/secrets/${now.keyId}`,
  given: async (server) => {
    const made = await withSecrets(1)(server)
    const [keyId = ''] = await keysOf(server, made.client)
    return { ...made, keyId }
  },
  as,
}
scenarios('DELETE /api/countermand/applications/{clientId}/secrets/{keyId}', removing, [
  ...notPermitted<Given & { readonly keyId: string }>('removing a secret'),
  {
    name: 'that there is not is 404',
    path: (now) => `${of(now)}/secrets/${unknown}`,
    status: 404,
    code: 'ResourceNotFound',
    says: `Secret ${unknown} was not found`,
    events: [],
  },
  {
    name: 'ends it at once, and no other',
    path: (now) => `${of(now)}/secrets/${now.keyId.toUpperCase()}`,
    status: 204,
    events: ['application.secret_removed'],
    check: async (_, { client, keyId }, server) => {
      assert.deepEqual(await askToken(server, client.id, client.secret), [401, 'invalid_client', 7000215])
      const left = await keysOf(server, client)
      assert.equal(left.length, 1)
      assert.ok(!left.includes(keyId))
    },
  },
])

test('an application whose secret has expired is told so, and only whoever has that secret', async () => {
  const server = await serverOfTheFile()
  const body = { displayName: 'for a day', permissions: ['Machine.Read.All'], expiresInDays: 1 }
  const { clientId, secretText = '' } = expectStatus(201, await ask(server, 'POST', path, body))
  const { now } = server.clock
  server.clock.pass(day - 1)
  const before = await askToken(server, clientId, secretText)
  server.clock.pass(1)
  const after = [await askToken(server, clientId, secretText), await askToken(server, clientId, 'wrong')]
  server.clock.now = now
  assert.deepEqual(before, [200, 'a token', 0])
  assert.deepEqual(after, [
    [401, 'invalid_client', 7000222],
    [401, 'invalid_client', 7000215],
  ])
})
