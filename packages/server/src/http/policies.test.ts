/** What a tenant decides, each a line of configuration (README); and how it is where nobody has decided anything. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { MachineAction } from '@countermand/contract'
import { expireActions } from '../app/actions/expire-actions.ts'
import { enrol, type TestDevice } from '../testing/device.ts'
import { kindsOf } from '../testing/given.ts'
import { checkDialect, checkError } from '../testing/scenarios.ts'
import {
  expectStatus,
  impatient,
  openServer,
  runScript,
  unlimited,
  type Answer,
  type TestServer,
} from '../testing/server.ts'

let server: TestServer
let device: TestDevice

function serverWith(...flags: readonly string[]): void {
  beforeAll(async () => {
    server = await openServer({ flags: [...unlimited, ...impatient, ...flags] })
    await server.upload('run.sh')
    await server.upload('other.sh')
    device = await enrol(server)
  })
  afterAll(() => server.close())
}

const allowed = [
  'Machine.LiveResponse',
  'Machine.Isolate',
  'Machine.Scan',
  'Machine.CollectForensics',
  'Machine.RestrictExecution',
  'Machine.Offboard',
]
async function post(
  path: string,
  body: object,
  as: readonly string[] = allowed,
  by = 'ann',
): Promise<Answer<MachineAction>> {
  return server.ask<MachineAction>({ method: 'POST', path, body, token: await server.tokenAs(by, ...as) })
}
const run = (
  script: string,
  more: object = { Comment: 'case 1' },
  by?: string,
): Promise<Answer<MachineAction>> =>
  post(
    `/api/machines/${device.machineId}/runliveresponse`,
    { ...more, Commands: [runScript(script)] },
    allowed,
    by,
  )
const cancel = (id: string, body: object, ...as: readonly string[]): Promise<Answer<MachineAction>> =>
  post(`/api/machineactions/${id}/cancel`, body, as.length === 0 ? allowed : as)
const tailed = (tail: string): string => `/api/machines/${device.machineId}/${tail}`
const refused = (answer: Answer, status: number, code: string, says: RegExp): void => {
  assert.equal(answer.status, status, answer.text)
  checkDialect(answer)
  checkError(answer, code, [says])
}

describe('a cancel that needs the permission of the action’s own type', () => {
  serverWith('--cancel-permission', 'type')

  test('is refused with another of the seven, is kept, and changes nothing', async () => {
    const { id } = expectStatus(201, await run('run.sh'))
    const answer = await cancel(id, { Comment: 'no' }, 'Machine.Isolate')
    refused(answer, 403, 'Forbidden', /required application permissions \(Machine\.LiveResponse\)/)
    assert.equal((await server.read(id)).status, 'Pending')
    assert.deepEqual(kindsOf(server, id), ['requested', 'cancel_denied'])
    const done = expectStatus(200, await cancel(id, { Comment: 'yes' }, 'Machine.LiveResponse'))
    assert.equal(done.status, 'Cancelled')
  })

  test('of what is not there is 404, whatever the permission', async () => {
    const id = '00000000-0000-4000-8000-000000000000'
    refused(await cancel(id, {}, 'Machine.Isolate'), 404, 'ResourceNotFound', /not found/)
  })
})

describe('a Comment that is mandatory', () => {
  serverWith('--comment-mandatory')

  test.each([{}, { Comment: '' }, { Comment: ' \n' }])('is asked of a live response: %j', async (comment) => {
    refused(await run('run.sh', comment), 400, 'MissingRequiredParameter', /Comment/)
  })

  test('is asked of a cancel, and of what is not there it is still 404', async () => {
    const { id } = expectStatus(201, await run('run.sh'))
    refused(await cancel(id, {}), 400, 'MissingRequiredParameter', /Comment/)
    assert.deepEqual(kindsOf(server, id), ['requested'])
    const nobody = '00000000-0000-4000-8000-000000000000'
    refused(await cancel(nobody, {}), 404, 'ResourceNotFound', /not found/)
    expectStatus(200, await cancel(id, { Comment: 'wrong host' }))
  })
})

describe('plan 1', () => {
  serverWith('--plan', 'plan1')
  test.each([
    ['runliveresponse', { Comment: 'c', Commands: [runScript('run.sh')] }],
    ['collectInvestigationPackage', { Comment: 'c' }],
    ['restrictCodeExecution', { Comment: 'c' }],
    ['unrestrictCodeExecution', { Comment: 'c' }],
    ['offboard', { Comment: 'c' }],
  ])('has no %s', async (tail, body) => {
    const before = server.history.last()
    refused(await post(tailed(tail), body), 403, 'DisabledFeature', /plan 1/)
    assert.deepEqual(server.history.events(before), [])
  })

  test('has the scan, and isolation', async () => {
    const scan = await post(tailed('runAntiVirusScan'), { Comment: 'c', ScanType: 'Quick' })
    assert.equal(expectStatus(201, scan).status, 'Pending')
    const isolation = await post(tailed('isolate'), { Comment: 'c' })
    assert.equal(expectStatus(201, isolation).status, 'Pending')
  })

  test('does not keep anybody from asking for a machine that is not there: 404 comes first', async () => {
    const answer = await post('/api/machines/elastic-connector-test/runliveresponse', {
      Commands: [runScript('run.sh')],
    })
    refused(answer, 404, 'ResourceNotFound', /elastic-connector-test/)
  })
})

describe('a repeated action that is answered with the open one', () => {
  serverWith('--repeated-action', 'open')

  test('is the same action where all of it is the same; it keeps who else has asked', async () => {
    const first = expectStatus(201, await run('run.sh', { Comment: 'mine' }, 'ann'))
    const second = expectStatus(201, await run('run.sh', { Comment: 'mine too' }, 'bob'))
    assert.deepEqual([second.id, second.requestor, second.requestorComment], [first.id, 'ann', 'mine'])
    const events = server.history.ofAction(first.id)
    assert.deepEqual(
      events.map(({ kind, actor, data }) => [kind, actor, data.comment]),
      [
        ['action.requested', 'ann', 'mine'],
        ['action.requested_again', 'bob', 'mine too'],
      ],
    )
    refused(await run('other.sh'), 400, 'ActiveRequestAlreadyExists', /^Action is already in progress$/)
    expectStatus(200, await cancel(first.id, {}))
    assert.notEqual(expectStatus(201, await run('run.sh')).id, first.id)
  })
})

describe('a limit of one operation', () => {
  serverWith('--limits', 'read=-/-,getMachineAction=2/-,cancel=-/-,respond=-/-,liveResponse=-/-,library=-/-')

  test('is its own, and leaves its class alone', async () => {
    const { id } = expectStatus(201, await run('run.sh'))
    const token = await server.token('Machine.Read.All')
    const get = (path: string): Promise<Answer> => server.ask({ method: 'GET', path, token })
    const statuses = []
    for (let count = 0; count < 3; count += 1) statuses.push((await get(`/api/machineactions/${id}`)).status)
    assert.deepEqual(statuses, [200, 200, 429])
    assert.equal((await get('/api/machineactions')).status, 200)
  })
})

describe('cancelLimitSeconds: 60', () => {
  serverWith('--cancel-limit-seconds', '60')

  test('a cancel whose device says nothing is waited for no longer, and nobody claims that it worked', async () => {
    const { id } = expectStatus(201, await run('run.sh'))
    await device.sync()
    expectStatus(200, await cancel(id, { Comment: 'mistake' }))
    server.clock.pass(59_999)
    await expireActions(server.app)
    assert.equal((await server.read(id)).status, 'Pending')
    server.clock.pass(1)
    await expireActions(server.app)
    const { status, countermand } = await server.read(id)
    assert.deepEqual([status, countermand.proof, countermand.cancel?.state], ['TimeOut', null, 'unconfirmed'])
  })
})
