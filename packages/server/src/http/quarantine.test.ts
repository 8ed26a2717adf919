/** Stop and quarantine: who may ask for it and how, and what comes of what the device says; after `wire.md` 1.2, 2, 4 and 8. */
import assert from 'node:assert/strict'
import type { CommandOutcome, MachineAction } from '@countermand/contract'
import { test } from 'vitest'
import { enrol, type EnrolmentOptions, type TestDevice } from '../testing/device.ts'
import { refusalsOfEvery, refused } from '../testing/machine-refusals.ts'
import { scenarios, type Scenario, type Subject } from '../testing/scenarios.ts'
import { expectStatus, impatient, openServer, unlimited, type TestServer } from '../testing/server.ts'

const able = { LiveResponse: { able: true as const }, StopAndQuarantineFile: { able: true as const } }
const device =
  (options: EnrolmentOptions = { capabilities: able }) =>
  (server: TestServer): Promise<TestDevice> =>
    enrol(server, options)

const sha1 = '0123456789abcdef0123456789abcdef01234567'
const other = 'f'.repeat(40)
const comment = { Comment: 'case 17' }
const right = { ...comment, Sha1: sha1 }
const both = ['Machine.StopAndQuarantine', 'Machine.Read.All'] as const
const tail = '/StopAndQuarantineFile'
const pathOf = ({ machineId }: TestDevice): string => `/api/machines/${machineId}${tail}`
const subject: Subject<TestDevice> = { method: 'POST', path: pathOf, given: device(), as: [...both] }

const asked = async (server: TestServer, made: TestDevice, body: object = right): Promise<MachineAction> => {
  const token = await server.token(...both)
  const answer = await server.ask<MachineAction>({ method: 'POST', path: pathOf(made), token, body })
  expectStatus(201, answer)
  return answer.body
}
const busy = async (server: TestServer): Promise<TestDevice> => {
  const made = await device()(server)
  await asked(server, made)
  return made
}
const own = { able: false as const, why: 'switched_off' as const, detail: 'start with --allow-containment' }

const refusals: readonly Scenario<TestDevice>[] = [
  ...refusalsOfEvery(tail, right),
  refused('without a comment', { Sha1: sha1 }, 'MissingRequiredParameter', /Comment/),
  refused('without a hash', comment, 'MissingRequiredParameter', /Sha1/),
  ...['', 'x', sha1.slice(1), `${sha1}0`, `${sha1}\n`, 'g'.repeat(40)].map((Sha1) =>
    refused(
      `with the hash ${JSON.stringify(Sha1)}`,
      { ...comment, Sha1 },
      'InvalidHashValue',
      /is not a SHA-1/,
    ),
  ),
  refused('with a hash that is no text', { ...comment, Sha1: 7 }, 'InvalidRequestBody', /Sha1/),
  refused('with sha1 for Sha1', { ...comment, sha1 }, 'InvalidRequestBody', /"sha1".*"Sha1"/),
  {
    name: 'with one of the two permissions is refused, and the other one is named',
    as: ['Machine.StopAndQuarantine'],
    body: right,
    status: 403,
    code: 'Forbidden',
    says:
      'The application does not have any of the required application permissions ' +
      '(Machine.Read.All, Machine.ReadWrite.All) to access the resource.',
    events: [],
  },
  {
    name: 'with the other one of the two is refused',
    as: ['Machine.Read.All', 'Machine.Isolate'],
    body: right,
    status: 403,
    code: 'Forbidden',
    says: [/\(Machine\.StopAndQuarantine\)/],
    events: [],
  },
  {
    name: 'of a hash that is being looked for already is refused as in progress',
    given: busy,
    body: right,
    status: 400,
    code: 'ActiveRequestAlreadyExists',
    says: 'Action is already in progress',
    events: [],
  },
  {
    name: 'of the same hash in capital letters is refused as well',
    given: busy,
    body: { ...comment, Sha1: sha1.toUpperCase() },
    status: 400,
    code: 'ActiveRequestAlreadyExists',
    events: [],
  },
  {
    name: 'on the host of the server itself is refused, with the flag that allows it',
    given: device({ capabilities: { ...able, StopAndQuarantineFile: own } }),
    body: right,
    status: 403,
    code: 'DisallowedOperation',
    says: [/--allow-containment/],
    events: [],
  },
  {
    name: 'by an agent that does not know of it needs a newer one',
    given: device({ capabilities: { LiveResponse: { able: true } } }),
    body: right,
    status: 400,
    code: 'ClientVersionNotSupported',
    says: [/StopAndQuarantineFile needs a newer agent/],
    events: [],
  },
]

const accepted: readonly Scenario<TestDevice>[] = [
  {
    name: 'makes an action that names its file',
    body: right,
    status: 201,
    reply: {
      type: 'StopAndQuarantineFile',
      status: 'Pending',
      scope: null,
      commands: [],
      relatedFileInfo: { fileIdentifier: sha1, fileIdentifierType: 'Sha1' },
    },
    events: ['action.requested'],
    check: async ({ body }, _made, server) => {
      const { id, countermand } = body as MachineAction
      assert.deepEqual(countermand.quarantined, { files: [], killed: [] })
      assert.deepEqual(await server.read(id), body, 'and is found by its id at once')
    },
  },
  {
    name: 'is found in the small letters of one client too',
    path: ({ machineId }) => `/api/machines/${machineId}/stopAndQuarantineFile`,
    body: right,
    status: 201,
    reply: { type: 'StopAndQuarantineFile' },
    events: ['action.requested'],
  },
  {
    name: 'of another hash goes its own way beside the first',
    given: busy,
    body: { ...comment, Sha1: other },
    status: 201,
    reply: { relatedFileInfo: { fileIdentifier: other, fileIdentifierType: 'Sha1' } },
    events: ['action.requested'],
  },
  {
    name: 'offers the device the hash in small letters, not the files of packages, and an hour',
    body: { ...comment, Sha1: sha1.toUpperCase() },
    status: 201,
    events: ['action.requested'],
    check: async ({ body }, made) => {
      const { id } = body as MachineAction
      const { offers } = await made.sync()
      assert.deepEqual(offers, [
        {
          id,
          type: 'StopAndQuarantineFile',
          parameters: { sha1, packaged: false },
          runLimitMs: 60 * 60_000,
        },
      ])
    },
  },
  {
    name: 'shows what the device has killed and taken away',
    body: right,
    status: 201,
    events: ['action.requested'],
    check: async ({ body }, made, server) => {
      const { id } = body as MachineAction
      await over(made, id, quarantined)
      const { status, countermand } = await server.read(id)
      assert.deepEqual([status, countermand.quarantined], ['Succeeded', quarantined])
    },
  },
]

scenarios(`POST /api/machines/:id${tail}`, subject, [...refusals, ...accepted])

const quarantined = {
  files: [{ id: '0a1b2c3d4e5f', paths: ['/tmp/evil', '/tmp/evil, again'], size: 17 }],
  killed: [{ pid: 4711, command: '/tmp/evil --now', path: '/tmp/evil' }],
}
const at = '2026-02-03T04:05:07.5Z'
const step = (status: CommandOutcome['status'], done: CommandOutcome['quarantined']): CommandOutcome => ({
  index: 0,
  status,
  startedAt: at,
  endedAt: at,
  errors: [],
  result: null,
  ...(done !== undefined && { quarantined: done }),
})

async function over(made: TestDevice, id: string, done: CommandOutcome['quarantined']): Promise<void> {
  await made.sync()
  made.hold(id, 'over')
  made.tell({
    kind: 'finished',
    action: id,
    outcome: 'succeeded',
    detail: null,
    commands: [step('Completed', done)],
  })
  await made.sync()
}

async function withServer(
  flags: readonly string[],
  play: (server: TestServer, made: TestDevice) => Promise<void>,
): Promise<void> {
  const server = await openServer({ flags: [...unlimited, ...impatient, ...flags] })
  try {
    await play(server, await device()(server))
  } finally {
    await server.close()
  }
}

test('a cancel that comes before the device’s word of its end is proven when the file is back, not before', () =>
  withServer([], async (server, made) => {
    const { id } = await asked(server, made)
    await made.sync()
    made.hold(id, 'started')
    await made.sync()
    const token = await server.token('Machine.StopAndQuarantine')
    const cancel = { method: 'POST', path: `/api/machineactions/${id}/cancel`, token } as const
    expectStatus(200, await server.ask({ ...cancel, body: { Comment: 'mistake' } }))
    await over(made, id, quarantined)
    const between = await server.read(id)
    assert.deepEqual([between.status, between.countermand.proof], ['InProgress', null])
    const killed = { files: [], killed: quarantined.killed }
    made.tell({ kind: 'reverted', action: id, commands: [step('Failed', killed)] })
    await made.sync()
    const { status, countermand } = await server.read(id)
    assert.deepEqual([status, countermand.proof], ['Cancelled', 'reverted'])
    assert.deepEqual(countermand.effect, { state: 'reverted', residues: [] })
    assert.deepEqual(countermand.quarantined, killed)
  }))

test('a server that is set to it has the files of packages taken away as well', () =>
  withServer(['--quarantine-packaged'], async (server, made) => {
    await asked(server, made)
    const [offer] = (await made.sync()).offers
    assert.deepEqual(offer?.parameters, { sha1, packaged: true })
  }))
