/** Machines by an address and a time, by a tag, and who was signed in on them (`wire.md` 1.5). */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import type { Facts, Machine } from '@countermand/contract'
import { enrol, factsOf, type TestDevice } from '../testing/device.ts'
import { scenarios, serverOfTheFile, type Scenario } from '../testing/scenarios.ts'
import { day, expectStatus, hour, minute, openServer, type TestServer } from '../testing/server.ts'

const as = ['Machine.Read.All']
const facts = (...addresses: readonly string[]): Facts => ({
  ...factsOf('ws-find'),
  ipAddresses: addresses.map((ipAddress) => ({
    ipAddress,
    macAddress: null,
    type: 'Ethernet',
    operationalStatus: 'Up',
  })),
})
const idsOf = (body: unknown): string[] => (body as { value: Machine[] }).value.map(({ id }) => id)

/** With an address that no other device here has. */
let count = 0
const lone = async (server: TestServer): Promise<{ device: TestDevice; ip: string; at: string }> => {
  const device = await enrol(server)
  const ip = `198.51.100.${(count += 1)}`
  await device.sync({ facts: facts('192.0.2.1', ip, `2001:DB8::${count}`) })
  return { device, ip, at: server.clock.now.toISOString() }
}
type Lone = Awaited<ReturnType<typeof lone>>
const byIp = ({ ip, at }: Lone): string => `/api/machines/findbyip(ip='${ip}',timestamp=${at})`
const subject = { method: 'GET', path: byIp, given: lone, as } as const

const refused = (name: string, path: string, code: string, says: RegExp): Scenario<Lone> => ({
  name: `${name} is refused`,
  path: () => path,
  status: 400,
  code,
  says: [says],
  events: [],
})
const finds = (name: string, path: (given: Lone) => string): Scenario<Lone> => ({
  name,
  path,
  status: 200,
  events: [],
  check: ({ body }, { device }) => {
    assert.deepEqual(idsOf(body), [device.machineId])
    assert.match((body as { '@odata.context': string })['@odata.context'], /\/api\/\$metadata#Machines$/)
  },
})
const findsNone = (name: string, path: (given: Lone) => string): Scenario<Lone> => ({
  name,
  path,
  status: 200,
  events: [],
  check: ({ body }) => assert.deepEqual(idsOf(body), []),
})
const encoded = (path: string): string => {
  const [head = '', tail = ''] = path.split('findbyip')
  return `${head}findbyip${encodeURIComponent(tail).replaceAll("'", '%27').replaceAll('(', '%28').replaceAll(')', '%29')}`
}

scenarios('GET /api/machines/findbyip(…)', subject, [
  { name: 'without a token is refused', as: null, status: 401, code: 'Unauthorized', events: [] },
  {
    name: 'without a permission to read is refused',
    as: ['Machine.LiveResponse'],
    status: 403,
    code: 'Forbidden',
    events: [],
  },
  refused(
    'what is no address',
    "/api/machines/findbyip(ip='ws-017',timestamp=2026-02-03T04:05:06Z)",
    'InvalidIpAddress',
    /'ws-017' is not/,
  ),
  refused(
    'an address that is a pattern',
    "/api/machines/findbyip(ip='%25',timestamp=2026-02-03T04:05:06Z)",
    'InvalidIpAddress',
    /'%' is not/,
  ),
  refused(
    'an address with a zone',
    "/api/machines/findbyip(ip='fe80::1%25eth0',timestamp=2026-02-03T04:05:06Z)",
    'InvalidIpAddress',
    /is not/,
  ),
  refused(
    'without an address',
    '/api/machines/findbyip(timestamp=2026-02-03T04:05:06Z)',
    'MissingRequiredParameter',
    /ip/,
  ),
  refused(
    'without a time',
    "/api/machines/findbyip(ip='192.0.2.1')",
    'MissingRequiredParameter',
    /timestamp/,
  ),
  refused(
    'what is no time',
    "/api/machines/findbyip(ip='192.0.2.1',timestamp=yesterday)",
    'InvalidInput',
    /'yesterday' is not a time/,
  ),
  refused('what is no list of arguments', '/api/machines/findbyip(x)', 'InvalidInput', /name=value/),
  refused(
    'a time that is 30 days ago and more',
    "/api/machines/findbyip(ip='192.0.2.1',timestamp=2026-01-04T04:05:05Z)",
    'InvalidInput',
    /last 30 days/,
  ),
  refused(
    'a time that is to come',
    "/api/machines/findbyip(ip='192.0.2.1',timestamp=2026-02-04T04:05:06Z)",
    'InvalidInput',
    /last 30 days/,
  ),
  finds('finds it by one of its addresses', byIp),
  finds(
    'finds it with the arguments in the other order, and without quotes',
    ({ ip, at }) => `/api/machines/findbyip(timestamp=${at},ip=${ip})`,
  ),
  finds('finds it in any case', ({ ip, at }) => `/API/Machines/FindByIp(IP='${ip}',Timestamp='${at}')`),
  finds('finds it where everything is escaped', (given) => encoded(byIp(given))),
  finds('finds it under the version', (given) => byIp(given).replace('/api', '/api/v1.0')),
  finds(
    'finds it by an IPv6 address in another spelling',
    ({ ip, at }) => `/api/machines/findbyip(ip='2001:0DB8:0:0::${ip.split('.')[3]}',timestamp=${at})`,
  ),
  finds(
    'finds it a quarter of an hour before it was seen',
    ({ ip }) => `/api/machines/findbyip(ip='${ip}',timestamp=2026-02-03T03:50:06.1200000Z)`,
  ),
  finds(
    'finds it with a time of another zone',
    ({ ip }) => `/api/machines/findbyip(ip='${ip}',timestamp=2026-02-03T05:05:06%2B01:00)`,
  ),
  finds('finds it by the older form', ({ ip, at }) => `/api/machines/find(timestamp=${at},key='${ip}')`),
  findsNone(
    'finds none a millisecond earlier',
    ({ ip }) => `/api/machines/findbyip(ip='${ip}',timestamp=2026-02-03T03:50:06.119Z)`,
  ),
  findsNone(
    'finds none by an address that none had',
    ({ at }) => `/api/machines/findbyip(ip='203.0.113.9',timestamp=${at})`,
  ),
  findsNone(
    'finds none by the beginning of an address',
    ({ at }) => `/api/machines/findbyip(ip='192.0.2.0',timestamp=${at})`,
  ),
])

describe('an address that a device had', () => {
  test('is found from a quarter of an hour before until a quarter of an hour after, for 30 days', async () => {
    const server = await openServer()
    const device = await enrol(server)
    const at = (ms: number): Date => new Date(begin + ms)
    const begin = server.clock.now.getTime()
    await device.sync({ facts: facts('192.0.2.1') })
    server.clock.pass(2 * hour)
    await device.sync({ facts: facts('192.0.2.1') })
    server.clock.pass(hour)
    await device.sync({ facts: facts('192.0.2.2') })
    server.clock.pass(hour)
    const found = async (ip: string, time: Date): Promise<number> => {
      const path = `/api/machines/findbyip(ip='${ip}',timestamp=${time.toISOString()})`
      const token = await server.token(...as)
      return idsOf(expectStatus(200, await server.ask({ method: 'GET', path, token }))).length
    }
    const seen = {
      begin: await found('192.0.2.1', at(0)),
      between: await found('192.0.2.1', at(hour)),
      after: await found('192.0.2.1', at(2 * hour + 15 * minute)),
      tooLate: await found('192.0.2.1', at(2 * hour + 15 * minute + 1)),
      tooEarly: await found('192.0.2.2', at(3 * hour - 15 * minute - 1)),
      next: await found('192.0.2.2', at(3 * hour - 15 * minute)),
      // It has said nothing since: nobody knows whether it still has it.
      silent: await found('192.0.2.2', at(4 * hour)),
    }
    assert.deepEqual(seen, { begin: 1, between: 1, after: 1, tooLate: 0, tooEarly: 0, next: 1, silent: 0 })
    server.clock.pass(29 * day)
    await device.sync({ facts: facts('192.0.2.3') })
    assert.equal(await found('192.0.2.1', at(2 * hour)), 1, 'still kept')
    server.clock.pass(3 * day)
    await device.sync({ facts: facts('192.0.2.4') })
    const [row] = server.rows.all('select addresses from devices')
    assert.doesNotMatch(String(row?.addresses), /192\.0\.2\.[12]"/, 'what nobody may ask for is not kept')
    await server.close()
  })

  test('is one of a hundred former ones at most', async () => {
    const server = await openServer()
    const device = await enrol(server)
    for (let n = 0; n < 130; n += 1) await device.sync({ facts: facts(`10.0.0.${n}`, 'x'.repeat(1000)) })
    const kept = JSON.parse(
      String(server.rows.all('select addresses from devices')[0]?.addresses),
    ) as unknown[]
    assert.equal(kept.length, 101)
    await server.close()
  })
})

const tagged = async (server: TestServer, ...machineTags: string[]): Promise<string> => {
  const { machineId } = await enrol(server)
  const token = await server.token('Machine.ReadWrite.All')
  const path = `/api/machines/${machineId}`
  expectStatus(200, await server.ask({ method: 'PATCH', path, token, body: { machineTags } }))
  return machineId
}
const found = async (server: TestServer, query: string): Promise<string[]> => {
  const path = `/api/machines/findByTag?${query}`
  return idsOf(expectStatus(200, await server.ask({ method: 'GET', path, token: await server.token(...as) })))
}

describe('GET /api/machines/findbytag', () => {
  test('finds those with just this tag, newest first, or with one that begins so', async () => {
    const server = await serverOfTheFile()
    const older = await tagged(server, 'find me', 'x%_!"\\ü')
    const newer = await tagged(server, 'find me')
    const longer = await tagged(server, 'other', 'find me too')
    assert.deepEqual(await found(server, 'tag=find%20me'), [newer, older])
    assert.deepEqual(await found(server, 'tag=find+me&useStartsWithFilter=false'), [newer, older])
    assert.deepEqual(await found(server, 'Tag=find%20me&usestartswithfilter=TRUE'), [longer, newer, older])
    assert.deepEqual(await found(server, 'tag=find%20me&$top=1&$skip=1'), [older])
    assert.deepEqual(await found(server, `tag=${encodeURIComponent('x%_!"\\ü')}`), [older])
    for (const none of [
      'Find%20me',
      'find%20me%25',
      'find_me',
      'me',
      'find%20me%22%2C%22',
      '%22',
      '%00',
      '%ED%A0%80',
    ])
      assert.deepEqual(await found(server, `tag=${none}`), [], none)
  })

  test.each(['', '?tag=', '?useStartsWithFilter=true'])('%s without a tag is refused', async (query) => {
    const server = await serverOfTheFile()
    const path = `/api/machines/findbytag${query}`
    const answer = await server.ask({ method: 'GET', path, token: await server.token(...as) })
    assert.equal(answer.status, 400)
    assert.match(
      answer.text,
      /"code":"MissingRequiredParameter","message":"The required parameter tag is missing\."/,
    )
  })
})

const users: NonNullable<Facts['users']> = [
  { name: 'ann', type: 'Interactive' },
  { name: 'root', type: 'RemoteInteractive' },
]
scenarios(
  'GET /api/machines/:id/logonusers',
  {
    method: 'GET',
    path: ({ machineId }: TestDevice) => `/api/machines/${machineId}/logonusers`,
    given: (server) => enrol(server),
    as: ['User.Read.All'],
  },
  [
    { name: 'without a token is refused', as: null, status: 401, code: 'Unauthorized', events: [] },
    {
      name: 'with the permission to read machines is refused',
      as,
      status: 403,
      code: 'Forbidden',
      says: 'The application does not have any of the required application permissions (User.Read.All) to access the resource.',
      events: [],
    },
    {
      name: 'of an unknown machine is 404',
      path: () => '/api/machines/elastic-connector-test/logonusers',
      status: 404,
      code: 'ResourceNotFound',
      says: 'Machine elastic-connector-test was not found',
      events: [],
    },
    {
      name: 'is an empty list where the device says nothing of users',
      status: 200,
      events: [],
      check: ({ body }) => {
        const { value, ...envelope } = body as { value: unknown[]; '@odata.context': string }
        assert.deepEqual(value, [])
        assert.match(envelope['@odata.context'], /\/api\/\$metadata#Users$/)
      },
    },
    {
      name: 'names who is and who was signed in, the latest first, in the key order of the reference',
      given: async (server) => {
        const device = await enrol(server, { name: 'ws-017' })
        await device.sync({ facts: { ...factsOf('ws-017'), users } })
        await device.sync({
          facts: { ...factsOf('ws-017'), users: [{ name: 'ann', type: 'RemoteInteractive' }] },
        })
        await device.sync()
        return device
      },
      status: 200,
      events: [],
      check: ({ body }) => {
        const { value } = body as { value: Record<string, unknown>[] }
        const at = '2026-02-03T04:05:06.12Z'
        const [ann, root] = value
        assert.deepEqual(Object.entries(ann ?? {}), [
          ['id', 'ws-017\\ann'],
          ['accountName', 'ann'],
          ['accountDomain', 'ws-017'],
          ['firstSeen', at],
          ['lastSeen', at],
          ['logonTypes', 'Interactive, RemoteInteractive'],
          ['isDomainAdmin', false],
          ['isOnlyNetworkUser', false],
          ['accountSid', null],
        ])
        assert.deepEqual([value.length, root?.accountName], [2, 'root'])
      },
    },
  ],
)
