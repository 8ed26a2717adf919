/** The query options of lists as clients write them (`wire.md` 7). */
import assert from 'node:assert/strict'
import { operations } from '@countermand/contract'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { enrol } from '../testing/device.ts'
import { cancel } from '../testing/given.ts'
import { scenarios, serverOfTheFile, type Scenario, type Subject } from '../testing/scenarios.ts'
import { minute, openServer, type Answer, type TestServer } from '../testing/server.ts'

interface List {
  readonly '@odata.context': string
  readonly '@odata.count'?: number
  readonly '@odata.nextLink'?: string
  readonly value: readonly Readonly<Record<string, unknown>>[]
}

type Ids = readonly string[]
/** Five actions of five devices, the newest last, a minute apart; the second is cancelled. */
let made: Ids | null = null
const five = async (server: TestServer): Promise<Ids> => {
  if (made !== null) return made
  await server.upload('run.sh')
  const ids: string[] = []
  for (let n = 0; n < 5; n += 1) {
    const { machineId } = await enrol(server, { name: `Ws-${n}` })
    ids.push((await server.issue(machineId, `case ${n}`)).id)
    server.clock.pass(minute)
  }
  await cancel(server, ids[1] ?? '')
  made = ids
  return ids
}

const subject: Subject<Ids> = {
  method: 'GET',
  path: () => '/api/machineactions',
  given: five,
  as: ['Machine.Read.All'],
  fresh: true,
}

const refused = (query: string, ...says: readonly RegExp[]): Scenario<Ids> => ({
  name: `${query} is refused`,
  path: () => `/api/machineactions?${query}`,
  status: 400,
  code: 'ODataError',
  says,
  events: [],
})

/** `#0` stands for the id of the first action; `found` counts from the oldest. */
const finds = (query: string, found: readonly number[]): Scenario<Ids> => ({
  name: `${query} finds ${found.join(' ')}`,
  path: (ids) =>
    `/api/machineactions?${query.replaceAll(/#(\d)/g, (_, n: string) => String(ids[Number(n)]))}`,
  status: 200,
  events: [],
  check: ({ body }, ids) =>
    assert.deepEqual(
      (body as List).value.map(({ id }) => ids.indexOf(String(id))),
      found,
    ),
})
const all = [4, 3, 2, 1, 0]

scenarios('GET /api/machineactions with options', subject, [
  // The first of the list makes what all ask about, and causes its events; so it asks for nothing.
  refused('$filter=', /^Invalid \$filter: .* \(at position 1\)\.$/),
  refused("$filter=nothing eq 'x'", /There is no field 'nothing' here/, /position 1/),
  refused("$filter=status eq 'x' and machineTags/any(t: t eq 'x')", /no field 'machineTags'/, /position 19/),
  refused('$filter=status eq 1', /For status a text in quotes/, /position 11/),
  refused('$filter=creationDateTimeUtc ge yesterday', /position 24/),
  refused("$filter=status eq '%00'", /NUL/),
  refused("$filter=status eq 'a'&$filter=status eq 'b'", /\$filter is given twice/),
  refused("$filter=status eq 'a'&%24Filter=status eq 'b'", /\$filter is given twice/),
  refused('$orderby=nothing', /^Invalid \$orderby: There is no field 'nothing'/),
  refused('$select=id,nothing', /^Invalid \$select: There is no 'nothing' to select \(at position 4\)\.$/),
  refused('$count=maybe', /true or false/),
  refused('$expand=commands', /\$expand is not supported yet/),
  refused('$skiptoken=x', /^Invalid \$skiptoken: it is of another list\.$/),
  refused(`$skiptoken=${Buffer.from('[1,2]').toString('base64url')}`, /another list/),
  refused(`$orderby=type&$skiptoken=${Buffer.from('[1,2]').toString('base64url')}`, /another list/),
  refused(`$orderby=type&$skiptoken=${Buffer.from('[1,"\\u0000"]').toString('base64url')}`, /another list/),
  // As the clients of `wire.md` 7 and 18 write them.
  finds('$count=true&$top=20', all),
  finds(
    "$count=true&$filter=id in ('#0','#3') AND type in ('LiveResponse','Isolate')&$top=1000&$skip=0&$orderby=type desc",
    [3, 0],
  ),
  finds("$filter=(id eq '#1' and status eq 'Cancelled') or (id eq '#2' and status eq 'Cancelled')", [1]),
  finds('$filter=CreationDateTimeUtc ge 2026-02-03T04:07:06Z&$orderby=CreationDateTimeUtc desc', [4, 3, 2]),
  finds("$filter=id+eq+'#2'and type+eq+'LiveResponse'", [2]),
  finds("%24filter=id%20eq+'#2'%20and+status%20in ('Pending','x')", [2]),
  finds("$FILTER=ID EQ '#2'", [2]),
  finds('$filter=id eq #2', [2]),
  finds("$filter=status eq 'Nonsense'", []),
  finds("$filter=status ne 'Cancelled'", [4, 3, 2, 0]),
  finds("$filter=not (status eq 'Cancelled') and computerDnsName eq 'WS-3'", [3]),
  finds("$filter=startswith(requestorComment,'case') and endswith(requestorComment,'4')", [4]),
  finds("$filter=contains(requestorComment,'?')", []),
  finds("$filter=requestor eq 'an application'", all),
  finds('$filter=cancellationDateTimeUtc ne null', [1]),
  finds("$filter=cancellationComment eq 'wrong host' and cancellationRequestor eq 'ann'", [1]),
  finds('$filter=creationDateTimeUtc ge 2026-02-03Z and creationDateTimeUtc lt 2026-02-04', all),
  finds('$filter=creationDateTimeUtc lt 2026-02-03', []),
  finds('$filter=creationDateTimeUtc lt 2026-02-03T06:07:06%2B02:00', [1, 0]),
  finds('$filter=creationDateTimeUtc lt 2026-02-03T06:07:06+02:00', [1, 0]),
  finds('$orderby=creationDateTimeUtc', [0, 1, 2, 3, 4]),
  finds('$orderby=status,computerDnsName desc', [1, 4, 3, 2, 0]),
  finds('$orderby=cancellationComment', [4, 3, 2, 0, 1]),
  finds('$orderby=cancellationComment desc', [1, 4, 3, 2, 0]),
  finds('$orderby=lastUpdateDateTimeUtc desc&$top=2&$skip=1', [4, 3]),
  {
    name: 'counts all that fit the filter, whatever page is asked for',
    path: () => "/api/machineactions?$filter=status eq 'Pending'&$count=TRUE&$top=1&$skip=1",
    status: 200,
    reply: { '@odata.count': 4 },
    events: [],
    check: ({ body }) =>
      assert.deepEqual(Object.keys(body as object), ['@odata.context', '@odata.count', 'value']),
  },
  {
    name: 'shows the selected keys and no others, in the order of the entity',
    path: () => '/api/machineactions?$select=Status,requestorcomment,id&$top=1',
    status: 200,
    events: [],
    check: ({ body }, ids) =>
      assert.equal(
        JSON.stringify((body as List).value),
        JSON.stringify([{ id: ids[4], requestorComment: 'case 4', status: 'Pending' }]),
      ),
  },
  {
    name: 'names the host that was asked',
    path: () => '/api/machineactions?$top=1',
    headers: { host: 'api-us3.example.org' },
    status: 200,
    reply: { '@odata.context': 'http://api-us3.example.org/api/$metadata#MachineActions' },
    events: [],
  },
])

describe('pages, counts and machines', () => {
  let server: TestServer
  let token: string
  const ids: string[] = []
  const machines: string[] = []
  beforeAll(async () => {
    server = await openServer()
    await server.upload('run.sh')
    token = await server.token('Machine.Read.All')
    for (let n = 0; n < 5; n += 1) {
      const device = await enrol(server, { name: `Ws-${n}` })
      if (n > 2) await device.sync()
      machines.push(device.machineId)
      ids.push((await server.issue(device.machineId)).id)
      server.clock.pass(1)
    }
  })
  afterAll(() => server.close())

  const get = async (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer<List>> =>
    server.ask<List>({ method: 'GET', path, token, headers })

  const oneMore = async () => server.issue((await enrol(server)).machineId)

  /** Follows the links to their end; `between` happens after each page. */
  async function follow(
    first: string,
    prefer: string,
    between: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<string[][]> {
    const pages: string[][] = []
    for (let path: string | undefined = first; path !== undefined;) {
      const answer: Answer<List> = await get(path, { prefer })
      assert.equal(answer.status, 200, answer.text)
      pages.push(answer.body.value.map(({ id }) => String(id)))
      const link = answer.body['@odata.nextLink']
      assert.ok(link === undefined || link.startsWith('http://localhost:80/api/machineactions?'), `${link}`)
      path = link?.slice('http://localhost:80'.length)
      await between()
    }
    return pages
  }

  test('a page that is not the last has a link to the next, and each row is in one of them', async () => {
    const [a, b, c, d, e] = ids
    const two = 'odata.maxpagesize=2'
    assert.deepEqual(await follow('/api/machineactions', two), [[e, d], [c, b], [a]])
    assert.deepEqual(await follow('/api/machineactions?$orderby=creationDateTimeUtc,id', two), [
      [a, b],
      [c, d],
      [e],
    ])
    assert.deepEqual(await follow("/api/machineactions?$filter=id ne 'x%26y'&$skip=1&$select=id", two), [
      [d, c],
      [b, a],
    ])
    assert.deepEqual(await follow('/api/machineactions?$top=3', two), [[e, d], [c]])
    assert.deepEqual(await follow('/api/machineactions?$top=2', two), [[e, d]])
    assert.deepEqual(await follow('/api/machineactions?$top=2', ''), [[e, d]], 'who says how many has them')
    assert.deepEqual(await follow('/api/machineactions', 'odata.maxpagesize=0'), [[e, d, c, b, a]])
  })

  test('the number of rows is a number, as text', async () => {
    const count = async (path: string) => {
      const { status, text, headers } = await get(path)
      return [status, text, headers['content-type']?.split(';')[0]]
    }
    assert.deepEqual(await count('/api/machineactions/$count'), [200, '5', 'text/plain'])
    assert.deepEqual(await count('/API/v1.0/MachineActions/%24count/'), [200, '5', 'text/plain'])
    const one = `$filter=machineId eq '${machines[0]?.toUpperCase()}'`
    assert.deepEqual(await count(`/api/machineactions/$count?${one}`), [200, '1', 'text/plain'])
    assert.deepEqual(await count("/api/machines/$count?$filter=healthStatus eq 'Active'"), [
      200,
      '2',
      'text/plain',
    ])
    const wrong = await get('/api/machineactions/$count?$top=1')
    assert.equal(wrong.status, 400)
    assert.match(wrong.text, /"ODataError".*\$top is not supported yet/)
    const stranger = await server.token('Library.Manage')
    for (const of of ['machineactions', 'machines']) {
      const path = `/api/${of}/$count`
      assert.equal((await server.ask({ method: 'GET', path, token: stranger })).status, 403)
      assert.equal((await server.ask({ method: 'GET', path })).status, 401)
    }
  })

  test.each<readonly [query: string, found: readonly number[]]>([
    ["$filter=startswith(computerDnsName,'WS-')&$orderby=computerDnsName", [0, 1, 2, 3, 4]],
    ["$filter=healthStatus eq 'active' and onboardingStatus eq 'onboarded'", [4, 3]],
    ["$filter=healthStatus ne 'Active'", [2, 1, 0]],
    ['$filter=lastSeen eq null', [2, 1, 0]],
    ['$filter=lastSeen ge 2026-02-03Z', [4, 3]],
    ["$filter=lastIpAddress eq '192.0.2.17' and osPlatform eq 'Linux'&$top=1", [4]],
    ["$filter=machineTags/any(t: t eq 'x')", []],
    ["$filter=not machineTags/any(t: t eq 'x') and rbacGroupId eq 0", [4, 3, 2, 1, 0]],
    ["$filter=rbacGroupId eq '0' and riskScore eq 'None' and exposureLevel eq 'None'&$top=1", [4]],
    ["$filter=deviceValue in ('High')", []],
    ['$filter=aadDeviceId eq null and version eq null', []],
    ['$orderby=lastSeen desc,computerDnsName', [4, 3, 0, 1, 2]],
  ])('of the machines %s finds %j', async (query, found) => {
    const { status, text, body } = await get(`/api/machines?${query}`)
    assert.equal(status, 200, text)
    assert.deepEqual(
      body.value.map(({ id }) => machines.indexOf(String(id))),
      found,
    )
  })

  test('a machine’s tags are looked into', async () => {
    server.rows.all('update devices set tags = ? where id = ?', '["blue","x"]', machines[2] ?? '')
    const { body } = await get("/api/machines?$filter=machineTags/any(t: t eq 'x')&$select=machineTags")
    assert.deepEqual(body.value, [{ machineTags: ['blue', 'x'] }])
  })

  test('the name of a group is shown, and not filtered by', async () => {
    const answer = await get('/api/machines?$filter=rbacGroupName eq null')
    assert.equal(answer.status, 400)
    assert.match(answer.text, /There is no field 'rbacGroupName' here/)
  })

  test('a question mark in a filter is part of it', async () => {
    const { body } = await get(
      "/api/machineactions?$filter=requestorComment eq 'why?' or id eq null&$count=true",
    )
    assert.equal(body['@odata.count'], 0)
  })

  // The last: it makes more.
  test('pages go on where they were while new rows arrive', async () => {
    assert.deepEqual((await follow('/api/machineactions', 'maxpagesize=1', oneMore)).flat(), ids.toReversed())
  })
})

describe('the options that a list takes', () => {
  const lists = Object.entries(operations).flatMap(([name, row]) =>
    'query' in row ? [[name, row.path, row.query as readonly string[]] as const] : [],
  )
  const everyOption = [
    '$filter',
    '$orderby',
    '$top',
    '$skip',
    '$count',
    '$select',
    '$expand',
    '$search',
    '$apply',
  ]
  const examples: Readonly<Record<string, string>> = {
    $filter: `id eq 'x'`,
    $orderby: 'id',
    $top: '1',
    $skip: '1',
    $count: 'true',
    $select: 'id',
  }

  test.each(lists)(
    '%s: are those that its printed reference says, and no others',
    async (_name, path, said) => {
      const server = await serverOfTheFile()
      const token = await server.token('Machine.Read.All', 'Countermand.Administer')
      for (const option of everyOption) {
        const asked = `${path}?${option}=${encodeURIComponent(examples[option] ?? 'x')}`
        const { status } = await server.ask({ method: 'GET', path: asked, token })
        assert.equal(status, said.includes(option) ? 200 : 400, option)
      }
    },
  )
})
