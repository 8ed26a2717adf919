/** The log: one line for each request, by whom and how it ended; and no secret, whatever was sent. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, beforeEach, describe, test } from 'vitest'
import { operations, type Operation } from '@countermand/contract'
import { enrol } from '../testing/device.ts'
import { broughtTo, cancel, queued } from '../testing/given.ts'
import {
  form,
  impatient,
  openServer,
  unlimited,
  type Answer,
  type Client,
  type ErrorBody,
  type TestServer,
} from '../testing/server.ts'

type Line = Readonly<Record<string, unknown>>

const lines: string[] = []
let server: TestServer
let client: Client
let token: string
beforeAll(async () => {
  const logTo = { write: (line: string) => void lines.push(line) }
  server = await openServer({ logTo, flags: [...unlimited, ...impatient, '--metrics', 'open'] })
  await server.upload('run.sh')
  client = await server.client(['Machine.Isolate', 'Machine.Read.All', 'Library.Manage'], 'the playbook')
  token = await server.tokenOf(client)
})
afterAll(() => server.close())
beforeEach(() => void lines.splice(0))

const answered = (): readonly Line[] =>
  lines.map((line): Line => JSON.parse(line)).filter(({ msg }) => msg === 'answered')

describe('a request is one line', () => {
  test('with its id, its operation, how it ended and who asked', async () => {
    const { id } = await queued(server)
    lines.splice(0)
    const path = `/api/machineactions/${id}/cancel`
    const answer = await server.ask({ method: 'POST', path, token, body: { Comment: 'wrong host' } })
    const [line, ...more] = answered()
    assert.deepEqual(more, [])
    assert.deepEqual(
      { ...line, time: 0, pid: 0, hostname: '', ms: 0 },
      {
        level: 30,
        time: 0,
        pid: 0,
        hostname: '',
        reqId: answer.headers['request-id'],
        method: 'POST',
        route: '/api/machineactions/:id/cancel',
        operation: 'cancelMachineAction',
        status: 200,
        ms: 0,
        caller: client.id,
        application: 'the playbook',
        msg: 'answered',
      },
    )
  })

  test('that is a warning with the code where it was refused, under the id that the caller was told', async () => {
    const path = '/api/machineactions/00000000-0000-4000-8000-000000000000'
    const answer = await server.ask<ErrorBody>({ method: 'GET', path, token })
    const [line, ...more] = answered()
    assert.deepEqual(more, [])
    const { level, reqId, operation, status, code } = line ?? {}
    assert.deepEqual(
      { level, reqId, operation, status, code },
      {
        level: 40,
        reqId: answer.body.error.target,
        operation: 'getMachineAction',
        status: 404,
        code: 'ResourceNotFound',
      },
    )
  })

  test.each(['/nowhere', '/%c3%28', '/api/machines/%'])('where there is nothing: %s', async (path) => {
    await server.ask({ method: 'GET', path, token })
    assert.equal(answered().length, 1)
  })

  test('that is for those who look for trouble, where a device syncs', async () => {
    const device = await enrol(server)
    lines.splice(0)
    await device.sync()
    assert.deepEqual(
      answered().map(({ level, route }) => [level, route]),
      [[20, '/device/sync']],
    )
  })
})

const unseen = (secrets: readonly string[]): void => {
  assert.ok(lines.length > 0, 'something was logged')
  const text = lines.join('\n')
  for (const secret of secrets) {
    assert.ok(secret.length >= 8, secret)
    assert.ok(!text.includes(secret), `${secret} is in the log`)
    assert.ok(!text.includes(encodeURIComponent(secret)), `${secret} is in the log, escaped`)
  }
}

describe('no secret is in the log', () => {
  const planted = [
    'planted-in-query',
    'planted-in-path',
    'planted-in-body',
    'planted-in-header',
    'planted-token',
    'planted-in-filter',
  ]
  const query = '?client_secret=planted-in-query&ticket=planted-in-query&$filter=planted-in-filter%20eq%201'
  const headers = { cookie: 'planted-in-header', 'x-api-key': 'planted-in-header' }
  const bodies = [
    '{"Comment":"planted-in-body","planted-in-body":1}',
    '{"Comment":planted-in-body',
    form('run.sh', 'planted-in-body'),
  ].map((body) => (typeof body === 'string' ? { headers: {}, body } : body))

  test.each(Object.entries(operations as Readonly<Record<string, Operation>>))(
    '%s',
    async (_name, { method, path }) => {
      const all = await server.token(...applicationAll)
      for (const as of [all, 'planted-token', null]) {
        for (const sent of method === 'GET' ? [{ headers: {}, body: '' }] : bodies) {
          const filled = path.replaceAll(/:(\w+)/g, 'planted-in-path')
          const asked = { method, path: filled + query, token: as, headers: { ...sent.headers, ...headers } }
          await server.ask({ ...asked, ...(sent.body !== '' && { body: sent.body }) })
        }
      }
      unseen([...planted, all])
    },
  )

  test('of the token endpoint: in a form, in a query, in a header', async () => {
    const path = `/${server.app.identity.tenantId}/oauth2/v2.0/token`
    const scope = 'https://api.securitycenter.microsoft.com/.default'
    const words = {
      grant_type: 'client_credentials',
      client_id: client.id,
      client_secret: client.secret,
      scope,
    }
    const asForm = new URLSearchParams(words).toString()
    const { client_secret: _secret, client_id: _id, ...rest } = words
    const basic = Buffer.from(`${client.id}:${encodeURIComponent(client.secret)}`).toString('base64')
    const answers: Answer<{ access_token?: string }>[] = [
      await server.ask({ method: 'POST', path, body: asForm }),
      await server.ask({ method: 'GET', path, body: asForm }),
      await server.ask({ method: 'POST', path: `${path}?${asForm}`, body: '' }),
      await server.ask({
        method: 'POST',
        path,
        headers: { authorization: `Basic ${basic}` },
        body: new URLSearchParams(rest).toString(),
      }),
      await server.ask({
        method: 'POST',
        path,
        body: asForm.replace(/client_secret=[^&]+/, 'client_secret=planted-in-body'),
      }),
    ]
    const tokens = answers.flatMap(({ body }) => body.access_token ?? [])
    assert.equal(tokens.length, 3)
    unseen([...planted, ...tokens, client.secret, client.secret.replaceAll(' ', '+'), basic])
  })

  test('of a device: the token that it enrols with, its statements, its tickets and links', async () => {
    const enrolmentToken = await server.enrolmentToken()
    const device = await enrol(server, { token: enrolmentToken })
    const secret = JSON.parse(Buffer.from(enrolmentToken.slice(5), 'base64url').toString()).secret as string
    const { id } = await server.issue(device.machineId)
    await device.bring(id, 'running')
    const said = await device.say()
    await device.send(said)
    const link = await device.link(id, { result: 0 })
    const result = await device.upload(id, '{"x":1}')
    device.finish(id, 'succeeded', result)
    await device.sync()
    await server.ask({ method: 'GET', path: '/device/transfers/planted-in-path', token: 'planted-token' })
    unseen([...planted, enrolmentToken, secret, said.jws, device.ticket, link])
  })

  test('of results: the link that is given out, and one that is made up', async () => {
    const { id } = await broughtTo('succeeded')(server)
    const path = `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=0)`
    const answer = await server.ask<{ value?: string }>({ method: 'GET', path, token })
    const link = new URL(answer.body.value ?? 'https://x/download/planted-in-path')
    await server.ask({ method: 'GET', path: link.pathname })
    await server.ask({ method: 'GET', path: `/download/planted-in-path?planted-in-query` })
    unseen([...planted, link.pathname.slice('/download/'.length)])
  })

  test('of what is nowhere, or no address at all', async () => {
    for (const path of ['/planted-in-path', '/planted-in-path/%c3%28', '/api/planted-in-path/%zz'])
      await server.ask({ method: 'GET', path: path + query, headers, token: 'planted-token' })
    unseen(planted)
  })

  test('of a cancel, whose comment may say anything', async () => {
    const { id } = await queued(server)
    await cancel(server, id, { comment: 'planted-in-body' })
    await cancel(server, id, { comment: 'planted-in-body' })
    unseen(planted)
  })
})

const applicationAll = [
  'Machine.ReadWrite.All',
  'Machine.Read.All',
  'Machine.Isolate',
  'Machine.Scan',
  'Machine.LiveResponse',
  'Machine.CollectForensics',
  'Library.Manage',
  'Alert.ReadWrite.All',
  'Countermand.Administer',
]
