import assert from 'node:assert/strict'
import { beforeAll, describe, test } from 'vitest'
import { packageLink } from '../app/files/result-files.ts'
import { findAction } from '../app/actions/read-action.ts'
import { broughtTo, queued, runningAs, type Given } from '../testing/given.ts'
import {
  checkDialect,
  checkError,
  scenarios,
  serverOfTheFile,
  type Scenario,
  type Subject,
} from '../testing/scenarios.ts'
import { expectStatus, minute, type Answer, type TestServer } from '../testing/server.ts'

const text = JSON.stringify({ script_name: 'run.sh', exit_code: 0, script_output: 'ok\n', script_errors: '' })

/** An action that has ended, its result brought here. */
const finished = async (server: TestServer): Promise<Given> => {
  const given = await broughtTo('running')(server)
  const { id, device } = given
  device.finish(id, 'succeeded', await device.upload(id, text))
  await device.sync()
  return given
}

const subject: Subject<Given> = {
  method: 'GET',
  path: ({ id }) => `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=0)`,
  given: finished,
  as: ['Machine.Read.All'],
}

const valueOf = (answer: Answer): string => (answer.body as { value: string }).value
const brings: Scenario<Given>['check'] = async (answer, _given, server) => {
  const { pathname } = new URL(valueOf(answer))
  const { status, bytes } = await server.ask({ method: 'GET', path: pathname })
  assert.deepEqual([status, bytes.toString()], [200, text])
}

scenarios('GET /api/machineactions/:id/GetLiveResponseResultDownloadLink(index=:n)', subject, [
  { name: 'without a token is refused', as: null, status: 401, code: 'Unauthorized', events: [] },
  {
    name: 'without a permission to read is refused: the one to run is not enough',
    as: ['Machine.LiveResponse'],
    status: 403,
    code: 'Forbidden',
    says: 'The application does not have any of the required application permissions (Machine.Read.All, Machine.ReadWrite.All) to access the resource.',
    events: [],
  },
  {
    name: 'of an unknown action is 404',
    path: () => '/api/machineactions/x/GetLiveResponseResultDownloadLink(index=0)',
    status: 404,
    code: 'ResourceNotFound',
    events: [],
  },
  {
    name: 'of an action that nobody has begun is 404',
    given: queued,
    status: 404,
    code: 'ResourceNotFound',
    events: [],
  },
  {
    name: 'of an action that runs is 404',
    given: broughtTo('running'),
    status: 404,
    code: 'ResourceNotFound',
    events: [],
  },
  {
    name: 'of an action that ended without a result is 404',
    given: broughtTo('succeeded'),
    status: 404,
    code: 'ResourceNotFound',
    events: [],
  },
  {
    name: 'of a command that there is not is refused',
    path: ({ id }) => `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=1)`,
    status: 400,
    code: 'InvalidInput',
    says: [/1/],
    events: [],
  },
  {
    name: 'of an index that is no number is no resource',
    path: ({ id }) => `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=zero)`,
    status: 404,
    code: 'NotFound',
    events: [],
  },
  {
    name: 'answers a link in the envelope of a single string',
    status: 200,
    events: [],
    check: async (answer, given, server) => {
      assert.deepEqual(Object.keys(answer.body as object), ['@odata.context', 'value'])
      assert.match(answer.text, /\/api\/\$metadata#Edm\.String"/)
      assert.match(valueOf(answer), /^http:\/\/localhost(:80)?\//, 'on the host that was asked')
      await brings(answer, given, server)
    },
  },
  ...(
    [
      ['with its brackets escaped', 'GetLiveResponseResultDownloadLink%28index=0%29'],
      ['with its equals sign escaped', 'GetLiveResponseResultDownloadLink(index%3D0)'],
      ['with all of it escaped', 'GetLiveResponseResultDownloadLink%28index%3d0%29'],
      ['in small letters', 'getliveresponseresultdownloadlink(index=0)'],
      ['in capital letters', 'GETLIVERESPONSERESULTDOWNLOADLINK(INDEX=0)'],
      ['with a slash at the end', 'GetLiveResponseResultDownloadLink(index=0)/'],
    ] as const
  ).map(([name, call]): Scenario<Given> => ({
    name: `is found ${name}`,
    path: ({ id }) => `/api/machineactions/${id}/${call}`,
    status: 200,
    events: [],
    check: brings,
  })),
  { name: 'does not mind a body', body: '{}', status: 200, events: [], check: brings },
])

function isRefused(answer: Answer): void {
  assert.equal(answer.status, 403, answer.text)
  checkDialect(answer)
  checkError(answer, 'Forbidden')
}

describe('GET of a download link', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await serverOfTheFile()
  })

  async function linkTo({ id }: Given): Promise<string> {
    const token = await server.token('Machine.Read.All')
    const path = `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=0)`
    const answer = await server.ask({ method: 'GET', path, token })
    expectStatus(200, answer)
    return new URL(valueOf(answer)).pathname
  }
  const follow = (path: string): Promise<Answer> => server.ask({ method: 'GET', path })

  test('that was changed in any of its letters is refused', async () => {
    const link = await linkTo(await finished(server))
    const secret = link.lastIndexOf('/') + 1
    for (let at = secret; at < link.length - 1; at += 7) {
      const other = link[at] === 'A' ? 'B' : 'A'
      isRefused(await follow(link.slice(0, at) + other + link.slice(at + 1)))
    }
  })

  test('that was cut short or made up is refused', async () => {
    const given = await finished(server)
    const link = await linkTo(given)
    isRefused(await follow(link.slice(0, -5)))
    isRefused(await follow(link.slice(0, link.lastIndexOf('.'))))
    isRefused(await follow('/download/x'))
    isRefused(await follow(`/download/${given.device.ticket}`))
  })

  test('is good for 30 minutes, and not a moment longer', async () => {
    const link = await linkTo(await finished(server))
    server.clock.pass(30 * minute - 1)
    assert.equal((await follow(link)).status, 200)
    server.clock.pass(1)
    isRefused(await follow(link))
  })

  test('that is over is followed by a fresh one, without running anything again', async () => {
    const given = await finished(server)
    await linkTo(given)
    server.clock.pass(31 * minute)
    const before = server.history.last()
    assert.equal((await follow(await linkTo(given))).status, 200)
    assert.equal(server.history.last(), before)
  })

  test('needs no token, and brings JSON as a file with a name', async () => {
    const { status, headers, bytes } = await follow(await linkTo(await finished(server)))
    assert.equal(status, 200)
    assert.equal(bytes.toString(), text)
    assert.match(headers['content-type'] ?? '', /^application\/json/)
    assert.equal(headers['content-length'], String(text.length))
    assert.match(headers['content-disposition'] ?? '', /^attachment; ?filename="?run\.sh\.json"?$/)
    assert.match(headers['cache-control'] ?? '', /no-store/)
  })

  const withFile = async (fileName: string, content = text): Promise<Given> => {
    const given = await broughtTo('running')(server)
    given.device.finish(given.id, 'succeeded', await given.device.upload(given.id, content, fileName))
    await given.device.sync()
    return given
  }

  test.each([
    ['messages.gz', 'application/gzip', 'messages.gz'],
    ['package.zip', 'application/zip', 'package.zip'],
    ['core', 'application/octet-stream', 'core'],
    ['a b.gz', 'application/gzip', "a_b.gz; filename*=UTF-8''a%20b.gz"],
    ['Übersicht.zip', 'application/zip', "_bersicht.zip; filename*=UTF-8''%C3%9Cbersicht.zip"],
    ["it's(1)*.gz", 'application/gzip', "it_s_1__.gz; filename*=UTF-8''it%27s%281%29%2A.gz"],
    ['a"\r\nx: y', 'application/octet-stream', "a___x__y; filename*=UTF-8''a%22%0D%0Ax%3A%20y"],
    ['\ud800.gz', 'application/gzip', "_.gz; filename*=UTF-8''%EF%BF%BD.gz"],
  ])('to %j brings it as %s, under its name', async (fileName, type, name) => {
    const { status, headers } = await follow(await linkTo(await withFile(fileName)))
    assert.deepEqual([status, headers['content-type']], [200, type])
    assert.equal(headers['content-disposition'], `attachment; filename=${name}`)
  })

  test('brings a range, so that a download can be taken up where it broke', async () => {
    const link = await linkTo(await finished(server))
    const get = (range: string): Promise<Answer> =>
      server.ask({ method: 'GET', path: link, headers: { range } })
    const whole = await follow(link)
    assert.equal(whole.headers['accept-ranges'], 'bytes')
    const rest = await get('bytes=7-')
    assert.deepEqual([rest.status, rest.text], [206, text.slice(7)])
    assert.equal(rest.headers['content-range'], `bytes 7-${text.length - 1}/${text.length}`)
    const beyond = await get(`bytes=${text.length}-`)
    assert.equal(beyond.status, 416)
    assert.equal(beyond.headers['content-range'], `bytes */${text.length}`)
    checkDialect(beyond)
    checkError(beyond, 'InvalidRange')
  })
})

const packageOf = async ({ app }: TestServer, { id }: Given): Promise<string> =>
  packageLink(app, await findAction(app, id))

describe('a link to a package', () => {
  const collect = runningAs({ itemLimitMs: minute }, 'CollectInvestigationPackage')

  test('is refused for an action of another type', async () => {
    const server = await serverOfTheFile()
    await assert.rejects(packageOf(server, await finished(server)), {
      code: 'InvalidInput',
      message: /LiveResponse/,
    })
  })

  test('is refused while there is none', async () => {
    const server = await serverOfTheFile()
    await assert.rejects(packageOf(server, await collect(server)), { code: 'ResourceNotFound' })
  })

  test('brings it', async () => {
    const server = await serverOfTheFile()
    const given = await collect(server)
    const { id, device } = given
    device.finish(id, 'succeeded', await device.upload(id, 'PK', 'package.zip'))
    await device.sync()
    const { text: brought, headers } = await server.ask({
      method: 'GET',
      path: await packageOf(server, given),
    })
    assert.deepEqual([brought, headers['content-type']], ['PK', 'application/zip'])
  })
})
