/** As many live responses as may be open at the same time in a tenant (`wire.md` 3.4). Four here, where nothing else is said. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'vitest'
import type { MachineAction } from '@countermand/contract'
import { enrol, type EnrolmentOptions, type TestDevice } from '../testing/device.ts'
import { expireActions } from '../app/actions/expire-actions.ts'
import { cancel } from '../testing/given.ts'
import { checkDialect, checkError } from '../testing/scenarios.ts'
import {
  day,
  expectStatus,
  impatient,
  openServer,
  runScript,
  unlimited,
  type Answer,
  type TestServer,
} from '../testing/server.ts'

const [limits = '', lifted = ''] = unlimited
const atOnce = (count: number): readonly string[] => ['--sessions', `${count}`]
const right = { Comment: 'case 17', Commands: [runScript('run.sh')] }
const capabilities: EnrolmentOptions['capabilities'] = {
  LiveResponse: { able: true, commands: ['RunScript'] },
  RunAntiVirusScan: { able: true },
  CollectInvestigationPackage: { able: true },
}

let server: TestServer
beforeEach(async () => {
  server = await openServer({ flags: [limits, lifted, ...impatient, ...atOnce(4)] })
  await server.upload('run.sh')
})
afterEach(() => server.close())

const anybody = (): Promise<TestDevice> => enrol(server, { capabilities })
const on = async (machineId: string, body: string | object = right): Promise<Answer<MachineAction>> => {
  const path = `/api/machines/${machineId}/runliveresponse`
  return server.ask({ method: 'POST', path, token: await server.token('Machine.LiveResponse'), body })
}
const further = async (): Promise<Answer> => on((await anybody()).machineId)

interface Open {
  readonly id: string
  readonly device: TestDevice
}

/** Each on a device of its own. */
async function open(count: number): Promise<readonly Open[]> {
  const made: Open[] = []
  while (made.length < count) {
    const device = await anybody()
    made.push({ device, id: (await server.issue(device.machineId)).id })
  }
  return made
}

function refused(answer: Answer): string {
  assert.equal(answer.status, 429, answer.text)
  checkDialect(answer)
  checkError(answer, 'TooManyRequests')
  assert.equal(answer.headers['retry-after'], '60')
  return answer.text
}

describe('with as many live responses open as may be', () => {
  test('a further one is refused; how many wait is said, and what to do; nothing is queued', async () => {
    const [first, second] = await open(4)
    await first?.device.bring(first.id, 'running')
    await second?.device.bring(second.id, 'accepted')
    const before = server.history.last()
    const device = await anybody()
    const enrolled = server.history.last()
    const text = refused(await on(device.machineId))
    assert.match(text, /4 live responses are open, and no more than 4 may be/)
    assert.match(text, /3 of them wait for their device \(Pending\), and count too/)
    assert.match(text, /cancel one, and ask again/)
    assert.ok(enrolled > before)
    assert.equal(server.history.last(), enrolled)
  })

  test('what is wrong beside that is said first', async () => {
    const [first] = await open(4)
    assert.equal((await on('00aa11bb22cc33dd44ee55ff66aa77bb88cc99dd')).status, 404)
    const { machineId } = await anybody()
    assert.equal((await on(machineId, 'not JSON')).status, 400)
    checkError(await on(machineId, { ...right, Commands: [runScript('other')] }), 'InvalidInput')
    checkError(await on(first?.device.machineId ?? ''), 'ActiveRequestAlreadyExists')
    refused(await on(machineId))
  })

  test('scans and packages are issued as ever', async () => {
    await open(4)
    const { machineId } = await anybody()
    const token = await server.token('Machine.Scan', 'Machine.CollectForensics')
    const asked = [
      ['runAntiVirusScan', { Comment: 'case 17', ScanType: 'Quick' }],
      ['collectInvestigationPackage', { Comment: 'case 17' }],
    ] as const
    for (const [tail, body] of asked)
      expectStatus(
        201,
        await server.ask({ method: 'POST', path: `/api/machines/${machineId}/${tail}`, token, body }),
      )
  })

  test.each<readonly [string, (first: Open) => Promise<unknown>]>([
    ['ends', ({ device, id }) => device.bring(id, 'succeeded')],
    ['is cancelled before it was offered', ({ id }) => cancel(server, id)],
    [
      'runs and is to be cancelled, proven or not',
      async ({ device, id }) => {
        await device.bring(id, 'running')
        await cancel(server, id)
      },
    ],
  ])('there is room for one more, and not for two, once one %s', async (_, make) => {
    const [first] = await open(4)
    assert.ok(first)
    refused(await further())
    await make(first)
    expectStatus(201, await further())
    refused(await further())
  })

  test('there is none after a restart either', async () => {
    await open(4)
    server = await server.restart()
    refused(await further())
  })

  test('all that have waited for too long make room at once', async () => {
    await open(4)
    refused(await further())
    server.clock.pass(3 * day)
    // The server's own timer may come first.
    await expireActions(server.app)
    await open(4)
    refused(await further())
  })
})

const listed = (): readonly unknown[] =>
  server.rows.all('select id from actions where maybe_session = 1').map(({ id }) => id)

describe('the list of open live responses', () => {
  test('is not written by a cancel, nor by an end: who counts next takes off what is over', async () => {
    const [cancelled, ended, waits] = await open(3)
    assert.ok(cancelled && ended && waits)
    await cancel(server, cancelled.id)
    await ended.device.bring(ended.id, 'running')
    ended.device.finish(ended.id)
    await ended.device.exchange(await ended.device.say())
    // The device's own next exchange is one of those that come by; this one has not.
    assert.ok(listed().includes(cancelled.id))
    const [next] = await open(1)
    assert.deepEqual(new Set(listed()), new Set([waits.id, next?.id]))
  })

  test('does not name scans', async () => {
    const { machineId } = await anybody()
    const path = `/api/machines/${machineId}/runAntiVirusScan`
    const sent = { token: await server.token('Machine.Scan'), body: { Comment: 'x', ScanType: 'Quick' } }
    expectStatus(201, await server.ask({ method: 'POST', path, ...sent }))
    assert.deepEqual(listed(), [])
  })

  test('is tidied by the timer too, where nobody counts', async () => {
    server = await server.restart({ flags: ['--sessions', '-'] })
    const [first] = await open(1)
    await cancel(server, first?.id ?? '')
    assert.deepEqual(listed(), [first?.id])
    server.clock.pass(3 * day)
    await expireActions(server.app)
    assert.deepEqual(listed(), [])
  })
})

test('25 may be open where nobody has said anything', async () => {
  await server.close()
  server = await openServer({ flags: [limits, lifted, ...impatient] })
  await server.upload('run.sh')
  await open(25)
  assert.match(refused(await further()), /25 live responses are open, and no more than 25 may be/)
})

test('any number may be open with "-", and they all count once there is a figure again', async () => {
  server = await server.restart({ flags: ['--sessions', '-'] })
  await open(6)
  server = await server.restart({ flags: atOnce(5) })
  refused(await further())
})
