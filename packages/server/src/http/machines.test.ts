import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import type { Machine } from '@countermand/contract'
import { enrol, factsOf, type TestDevice } from '../testing/device.ts'
import { scenarios, serverOfTheFile, type Scenario, type Subject } from '../testing/scenarios.ts'
import { expectStatus, type TestServer } from '../testing/server.ts'

const mayNotRead =
  'The application does not have any of the required application permissions (Machine.Read.All, Machine.ReadWrite.All) to access the resource.'

/** `wire.md` 12.1. */
const keys =
  `@odata.context id mergedIntoMachineId isPotentialDuplication isExcluded exclusionReason computerDnsName
  firstSeen lastSeen osPlatform osVersion osProcessor version lastIpAddress lastExternalIpAddress agentVersion osBuild
  healthStatus deviceValue rbacGroupId rbacGroupName riskScore exposureLevel isAadJoined aadDeviceId machineTags
  defenderAvStatus onboardingStatus osArchitecture managedBy managedByStatus ipAddresses vmMetadata
  countermand`.split(/\s+/)

let count = 0
/** One of its name. */
const device = async (server: TestServer): Promise<TestDevice> => {
  const made = await enrol(server, { name: `Ws-${(count += 1)}.Example` })
  await made.sync()
  return made
}

describe('a server without machines', () => {
  test('answers an empty list, not 404', async () => {
    const server = await serverOfTheFile()
    const token = await server.token('Machine.Read.All')
    const answer = await server.ask<{ value: unknown }>({ method: 'GET', path: '/api/machines', token })
    assert.deepEqual(expectStatus(200, answer).value, [])
  })
})

test('a machine is what its agent said last, from the next answer on', async () => {
  const server = await serverOfTheFile()
  const made = await device(server)
  const shown = async (): Promise<Machine> => {
    const token = await server.token('Machine.Read.All')
    const path = `/api/machines/${made.machineId}`
    return expectStatus(200, await server.ask<Machine>({ method: 'GET', path, token }))
  }
  const before = await shown()
  const ipAddress = { ipAddress: '198.51.100.7', macAddress: null, type: 'Tunnel', operationalStatus: 'Up' }
  const said = { osVersion: '6.12.1', version: '13', agentVersion: '0.2.0', osProcessor: 'arm64' }
  await made.sync({ facts: { ...factsOf('renamed'), ...said, ipAddresses: [ipAddress] } })
  const after = await shown()
  assert.deepEqual(after, {
    ...before,
    ...said,
    computerDnsName: 'renamed',
    lastIpAddress: '198.51.100.7',
    ipAddresses: [ipAddress],
  })
})

const subject: Subject<TestDevice> = {
  method: 'GET',
  path: ({ machineId }) => `/api/machines/${machineId}`,
  given: device,
  as: ['Machine.Read.All'],
}

const unknown = ['elastic-connector-test', 'a'.repeat(40), '%27', '%C3%BC', 'ws', '1'].map(
  (id): Scenario<TestDevice> => ({
    name: `of the unknown ${id} is 404, in the words that clients match on`,
    path: () => `/api/machines/${id}`,
    status: 404,
    code: 'ResourceNotFound',
    says: `Machine ${decodeURIComponent(id)} was not found`,
    events: [],
  }),
)

const isIt: Scenario<TestDevice>['check'] = ({ body }, { machineId, name }) => {
  const { id, computerDnsName } = body as Machine
  assert.deepEqual([id, computerDnsName], [machineId, name])
}

scenarios('GET /api/machines/:id', subject, [
  { name: 'without a token is refused', as: null, status: 401, code: 'Unauthorized', events: [] },
  {
    name: 'without a permission to read is refused, in the words that clients match on',
    as: ['Machine.LiveResponse'],
    status: 403,
    code: 'Forbidden',
    says: mayNotRead,
    events: [],
  },
  ...unknown,
  ...(
    [
      ['by its id', ({ machineId }) => machineId],
      ['by its id in capital letters', ({ machineId }) => machineId.toUpperCase()],
      ['by its computer name', ({ name }) => name],
      ['by its computer name in small letters', ({ name }) => name.toLowerCase()],
      ['by its computer name in capital letters', ({ name }) => name.toUpperCase()],
      ['with a slash at the end', ({ machineId }) => `${machineId}/`],
    ] as const satisfies readonly (readonly [string, (device: TestDevice) => string])[]
  ).map(([name, id]): Scenario<TestDevice> => ({
    name: `finds it ${name}`,
    path: (given) => `/api/machines/${id(given)}`,
    status: 200,
    events: [],
    check: isIt,
  })),
  ...['Machine.Read.All', 'Machine.ReadWrite.All'].map((permission): Scenario<TestDevice> => ({
    name: `is allowed by ${permission} alone`,
    as: [permission],
    status: 200,
    events: [],
  })),
  {
    name: 'shows every key in the order of the real service',
    status: 200,
    reply: {
      firstSeen: '2026-02-03T04:05:06.12Z',
      lastSeen: '2026-02-03T04:05:06.12Z',
      osPlatform: 'Linux',
      osArchitecture: '64-bit',
      lastIpAddress: '192.0.2.17',
      agentVersion: '0.1.0',
      healthStatus: 'Active',
      onboardingStatus: 'Onboarded',
      // When it is not null, one client takes it for the id.
      aadDeviceId: null,
      machineTags: [],
      isPotentialDuplication: false,
      ipAddresses: [
        { ipAddress: '192.0.2.17', macAddress: '02AA00000017', type: 'Ethernet', operationalStatus: 'Up' },
      ],
    },
    events: [],
    check: ({ body }) => {
      const machine = body as Machine
      assert.deepEqual(Object.keys(machine), keys)
      assert.match(machine.id, /^[0-9a-f]{40}$/)
      assert.match(machine['@odata.context'] ?? '', /\/api\/\$metadata#Machine/)
      assert.equal(typeof machine.rbacGroupId, 'number')
      assert.deepEqual(Object.keys(machine.ipAddresses[0] ?? {}), [
        'ipAddress',
        'macAddress',
        'type',
        'operationalStatus',
      ])
    },
  },
])

const listing: Subject<readonly string[]> = {
  method: 'GET',
  path: () => '/api/machines?$top=2',
  given: async (server) => [(await device(server)).machineId, (await device(server)).machineId],
  as: ['Machine.Read.All'],
}
const idsIn = (body: unknown): string[] => (body as { value: Machine[] }).value.map(({ id }) => id)

scenarios('GET /api/machines', listing, [
  { name: 'without a token is refused', as: null, status: 401, code: 'Unauthorized', events: [] },
  {
    name: 'without a permission to read is refused',
    as: ['Library.Manage'],
    status: 403,
    code: 'Forbidden',
    says: mayNotRead,
    events: [],
  },
  {
    name: 'shows the newest first, in the list envelope',
    status: 200,
    events: [],
    check: ({ body }, ids) => {
      assert.deepEqual(idsIn(body), ids.toReversed())
      const { value, ...envelope } = body as { '@odata.context': string; value: Machine[] }
      assert.match(envelope['@odata.context'], /\/api\/\$metadata#Machines$/)
      assert.deepEqual(Object.keys(value[0] ?? {}), keys.slice(1))
    },
  },
  {
    name: 'leaves out as many as are skipped',
    path: () => '/api/machines/?$top=1&$skip=1',
    status: 200,
    events: [],
    check: ({ body }, ids) => assert.deepEqual(idsIn(body), ids.slice(0, 1)),
  },
])
