/** Who may ask for tokens, administered: what is refused, what is written down, and when it bites. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import {
  as,
  ask,
  askToken,
  given,
  machines,
  missing,
  notPermitted,
  of,
  path,
  shown,
  type Given,
  type Shown,
} from '../testing/applications.ts'
import { scenarios, serverOfTheFile, type Scenario, type Subject } from '../testing/scenarios.ts'
import { expectStatus, type Answer, type Client, type TestServer } from '../testing/server.ts'

const creating: Subject<Given> = { method: 'POST', path: () => path, given, as }
scenarios('POST /api/countermand/applications', creating, [
  ...notPermitted('making one'),
  {
    name: 'without a name is refused',
    body: { permissions: [] },
    status: 400,
    code: 'MissingRequiredParameter',
    events: [],
  },
  {
    name: 'without permissions is refused',
    body: { displayName: 'x' },
    status: 400,
    code: 'MissingRequiredParameter',
    events: [],
  },
  {
    name: 'with a name in the wrong case is refused',
    body: { DisplayName: 'x', permissions: [] },
    status: 400,
    code: 'InvalidRequestBody',
    says: [/"DisplayName".*"displayName"/],
    events: [],
  },
  ...['', ' \t', 'x'.repeat(121), 'a\u0000b', 'a\nb', '\ud800'].map((displayName): Scenario<Given> => ({
    name: `called ${JSON.stringify(displayName.slice(0, 9))} is refused`,
    body: { displayName, permissions: [] },
    status: 400,
    code: 'InvalidInput',
    events: [],
  })),
  ...['Machine.Read', 'Alert.ReadWrite', 'Machine.Everything', '', 'machine.read.all'].map(
    (name): Scenario<Given> => ({
      name: `with ${JSON.stringify(name)}, which is no application permission, is refused`,
      body: { displayName: 'x', permissions: ['Machine.Read.All', name] },
      status: 400,
      code: 'InvalidRequestBody',
      events: [],
    }),
  ),
  ...[0, -1, 731, 1.5, '30'].map((expiresInDays): Scenario<Given> => ({
    name: `with a secret that expires in ${JSON.stringify(expiresInDays)} days is refused`,
    body: { displayName: 'x', permissions: [], expiresInDays },
    status: 400,
    code: 'InvalidRequestBody',
    events: [],
  })),
  {
    name: 'with the name of another, in whatever case, is refused: actions are told apart by it',
    given: async (server) => {
      await ask(server, 'POST', path, { displayName: 'Taken', permissions: [] })
      return given(server)
    },
    body: { displayName: ' taKEN', permissions: [] },
    status: 409,
    code: 'Conflict',
    says: [/is called Taken already/],
    events: [],
  },
  {
    name: 'makes one whose secret gives tokens with just these permissions, shown once and kept as a digest',
    body: { displayName: 'a playbook', permissions: ['Machine.Scan', 'Machine.Read.All', 'Machine.Scan'] },
    status: 201,
    reply: {
      displayName: 'a playbook',
      enabled: true,
      permissions: ['Machine.Read.All', 'Machine.Scan'],
      createdDateTime: '2026-02-03T04:05:06.12Z',
    },
    events: ['application.created'],
    check: async ({ text }, _, server) => {
      const made = JSON.parse(text) as Shown
      const { clientId, secretText = '' } = made
      assert.ok(Buffer.from(secretText, 'base64url').length >= 32)
      const [secret, ...more] = made.passwordCredentials
      assert.deepEqual(more, [])
      assert.equal(secret?.hint, secretText.slice(0, 3))
      assert.equal(secret.startDateTime, '2026-02-03T04:05:06.12Z')
      assert.equal(secret.endDateTime, null)
      assert.ok(!JSON.stringify(server.rows.all('select * from applications')).includes(secretText))
      assert.ok(!JSON.stringify(server.history.events()).includes(secretText))
      const list = expectStatus(200, await ask<{ value: Shown[] }>(server, 'GET', path))
      assert.ok(!JSON.stringify(list).includes(secretText))
      assert.ok(!JSON.stringify(list).includes(server.app.digest(secretText)))
      const token = await server.tokenOf({ id: clientId, secret: secretText, name: '' })
      const roles = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
        roles: string[]
      }
      assert.deepEqual(roles.roles, ['Machine.Read.All', 'Machine.Scan'])
      assert.equal(await machines(server, token), 200)
    },
  },
])

const reading: Subject<Given> = { method: 'GET', path: of, given, as }
scenarios('GET /api/countermand/applications/{clientId}', reading, [
  ...notPermitted('a look'),
  missing,
  {
    name: 'of an id with a NUL in it is 404',
    path: () => `${path}/%00`,
    status: 404,
    code: 'ResourceNotFound',
    events: [],
  },
  {
    name: 'is found in any case',
    path: ({ client }) => `${path}/${client.id.toUpperCase()}`,
    status: 200,
    reply: {
      displayName: 'an application',
      enabled: true,
      permissions: ['Machine.Read.All'],
      createdDateTime: null,
    },
    events: [],
  },
])

const listing: Subject<Given> = { method: 'GET', path: () => path, given, as }
scenarios('GET /api/countermand/applications', listing, [
  ...notPermitted('the list'),
  {
    name: 'with an option is refused',
    path: () => `${path}?$top=1`,
    status: 400,
    code: 'ODataError',
    events: [],
  },
  {
    name: 'names every application, and no secret',
    status: 200,
    events: [],
    check: ({ text }, { client }, server) => {
      const { value } = JSON.parse(text) as { value: Shown[] }
      assert.ok(value.some(({ clientId }) => clientId === client.id))
      for (const secret of [client.secret, server.app.digest(client.secret)])
        assert.ok(!text.includes(secret))
    },
  },
])

const changing: Subject<Given> = { method: 'PATCH', path: of, given, as }
const takes = (
  body: object,
  reply: object,
  events: readonly string[],
): Partial<Scenario<Given>> & Pick<Scenario<Given>, 'status' | 'events'> => ({
  body,
  status: 200,
  reply: { ...reply },
  events,
})
scenarios('PATCH /api/countermand/applications/{clientId}', changing, [
  ...notPermitted('a change'),
  missing,
  ...[
    { enabled: 'no' },
    { permissions: ['Machine.Read'] },
    { permissions: 'Machine.Scan' },
    { displayName: null },
  ].map((body): Scenario<Given> => ({
    name: `with ${JSON.stringify(body)} is refused`,
    body,
    status: 400,
    code: 'InvalidRequestBody',
    events: [],
  })),
  {
    name: 'to a name that is none is refused',
    body: { displayName: ' ' },
    status: 400,
    code: 'InvalidInput',
    events: [],
  },
  {
    name: 'to the name of another is refused, and nothing else of it is done',
    body: { displayName: 'first of all', enabled: false },
    given: async (server) => {
      await ask(server, 'POST', path, { displayName: 'First of all', permissions: [] })
      return given(server)
    },
    status: 409,
    code: 'Conflict',
    events: [],
    check: async (_, { client }, server) => assert.equal((await shown(server, client)).enabled, true),
  },
  { name: 'of nothing changes nothing, and leaves no event', ...takes({}, { enabled: true }, []) },
  {
    name: 'to what it is already leaves no event',
    ...takes({ enabled: true, permissions: ['Machine.Read.All'] }, {}, []),
  },
  { name: 'disables it', ...takes({ enabled: false }, { enabled: false }, ['application.disabled']) },
  {
    name: 'renames it',
    ...takes({ displayName: 'another' }, { displayName: 'another' }, ['application.renamed']),
  },
  {
    name: 'gives it other permissions in the place of those that it had, even more than the caller has',
    ...takes({ permissions: ['Machine.Isolate'] }, { permissions: ['Machine.Isolate'] }, [
      'application.permissions_changed',
    ]),
    check: (_, __, server) => {
      assert.deepEqual(server.history.events().at(-1)?.data.added, ['Machine.Isolate'])
      assert.deepEqual(server.history.events().at(-1)?.data.removed, ['Machine.Read.All'])
      assert.equal(server.history.events().at(-1)?.actor, 'an application')
      assert.equal(server.history.events().at(-1)?.chain, 'server')
      assert.deepEqual(server.history.faultsOf('server'), [])
    },
  },
])

const patch = async (server: TestServer, client: Client, body: object): Promise<void> =>
  void expectStatus(200, await ask(server, 'PATCH', `${path}/${client.id}`, body))

describe('an application', () => {
  test('that is disabled is refused at its next request, though its token is known; enabled again, it goes on', async () => {
    const server = await serverOfTheFile()
    const { client } = await given(server)
    const token = await server.tokenOf(client)
    assert.equal(await machines(server, token), 200)
    await patch(server, client, { enabled: false })
    const refused = await server.ask<{ error: { message: string } }>({
      method: 'GET',
      path: '/api/machines',
      token,
    })
    assert.equal(refused.status, 401)
    assert.equal(refused.body.error.message, `The application an application (${client.id}) is disabled.`)
    assert.deepEqual(await askToken(server, client.id, client.secret), [400, 'unauthorized_client', 7000112])
    // Who does not have a secret learns nothing of that.
    assert.deepEqual(await askToken(server, client.id, 'wrong'), [401, 'invalid_client', 7000215])
    await patch(server, client, { enabled: true })
    assert.equal(await machines(server, token), 200)
  })

  test('has what was taken from it no longer, and what it was given since with a new token', async () => {
    const server = await serverOfTheFile()
    const { client } = await given(server)
    const token = await server.tokenOf(client)
    await patch(server, client, { permissions: ['Library.Manage'] })
    assert.equal(await machines(server, token), 403)
    const library = (bearer: string): Promise<Answer> =>
      server.ask({ method: 'GET', path: '/api/libraryfiles', token: bearer })
    assert.equal((await library(token)).status, 403)
    assert.equal((await library(await server.tokenOf(client))).status, 200)
  })

  test('is written on actions with the name that it has now', async () => {
    const server = await serverOfTheFile()
    const { client } = await given(server)
    await patch(server, client, { permissions: ['Countermand.Administer'] })
    const token = await server.tokenOf(client)
    await patch(server, client, { displayName: 'renamed since' })
    await server.ask({ method: 'POST', path: '/api/countermand/enrolmenttokens', token, body: {} })
    assert.equal(server.history.events().at(-1)?.actor, 'renamed since')
  })
})
