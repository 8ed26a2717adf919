/** Somebody must be able to take back what is done: the last one who can administer cannot be taken away. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { day, openServer, type Answer, type Client, type TestServer } from '../testing/server.ts'

const administer = ['Countermand.Administer', 'Machine.Read.All']
const path = ({ id }: Client): string => `/api/countermand/applications/${id}`

interface Alone {
  readonly server: TestServer
  readonly client: Client
  readonly token: string
}

async function alone(run: (alone: Alone) => Promise<void>): Promise<void> {
  const server = await openServer()
  try {
    const client = await server.client(administer)
    await run({ server, client, token: await server.tokenOf(client) })
  } finally {
    await server.close()
  }
}

const patch = ({ server, client, token }: Alone, body: object): Promise<Answer> =>
  server.ask({ method: 'PATCH', path: path(client), token, body })

async function remove({ server, client, token }: Alone): Promise<Answer> {
  const { body } = await server.ask<{ passwordCredentials: { keyId: string }[] }>({
    method: 'GET',
    path: path(client),
    token,
  })
  const [secret] = body.passwordCredentials
  return server.ask({ method: 'DELETE', path: `${path(client)}/secrets/${secret?.keyId}`, token })
}

const ways: Readonly<Record<string, (alone: Alone) => Promise<Answer>>> = {
  'be disabled': (now) => patch(now, { enabled: false }),
  'lose the permission to administer': (now) => patch(now, { permissions: ['Machine.Read.All'] }),
  'lose its last secret': remove,
}

describe.each(Object.entries(ways))('the last application that can administer cannot %s', (_, way) => {
  const isRefused = async (now: Alone): Promise<void> => {
    const before = now.server.history.last()
    const answer = await way(now)
    assert.equal(answer.status, 403, answer.text)
    assert.match(answer.text, /"code":"DisallowedOperation".*last application that can administer/)
    assert.equal(now.server.history.last(), before)
  }

  test('where it is alone', () => alone(isRefused))

  test('where the others are disabled, have other permissions, or no secret that is good', () =>
    alone(async (now) => {
      const { server, token } = now
      const disabled = await server.client(administer)
      assert.equal((await patch({ ...now, client: disabled }, { enabled: false })).status, 200)
      await server.client(['Machine.ReadWrite.All'])
      const made = { displayName: 'for a day', permissions: ['Countermand.Administer'], expiresInDays: 1 }
      await server.ask({ method: 'POST', path: '/api/countermand/applications', token, body: made })
      server.clock.pass(day)
      await isRefused({ ...now, token: await server.tokenOf(now.client) })
    }))

  test('but it can where there is another', () =>
    alone(async (now) => {
      await now.server.client(administer)
      assert.ok((await way(now)).status < 300)
    }))
})

test('it can be renamed, and given more', () =>
  alone(async (now) => {
    const body = { displayName: 'the last', permissions: ['Countermand.Administer', 'Machine.Scan'] }
    assert.equal((await patch(now, body)).status, 200)
  }))
