/** Of an action that has ended nothing is left but the results that it reported, however it ended. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { enrol } from '../../testing/device.ts'
import { broughtTo, cancel, type Given } from '../../testing/given.ts'
import { filesOfAction, sendPart, standingOf, untilTrue } from '../../testing/parts.ts'
import { day, hour, openServer, type TestServer } from '../../testing/server.ts'
import { sweepFiles } from './sweep-files.ts'
import { takePart } from './transfer-files.ts'

const half = Buffer.from('the first half')
const hash = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex')

let server: TestServer
beforeAll(async () => {
  server = await openServer()
  await server.upload('run.sh')
})
afterAll(() => server.close())

const files = (id: string): readonly string[] => filesOfAction(server, id)
const isLeft = (id: string): boolean => files(id).length > 0

/** A running action that has a whole result here, and half of the next one. */
const uploading = async (): Promise<Given & { link: string }> => {
  const given = await broughtTo('running')(server)
  await given.device.upload(given.id, 'an earlier one')
  const link = await given.device.link(given.id, { result: 0 })
  await sendPart(server, link, { offset: 0, bytes: half })
  assert.deepEqual(files(given.id), [
    `uploads/0.${half.length}: ${String(half)}`,
    `results/0/${hash('an earlier one')}: an earlier one`,
  ])
  return { ...given, link }
}

const endings: Readonly<Record<string, (given: Given) => Promise<unknown>>> = {
  'was cancelled and stopped': async ({ id, device }) => {
    await cancel(server, id)
    device.stop(id)
    await device.sync()
  },
  failed: async ({ id, device }) => {
    device.finish(id, 'failed')
    await device.sync()
  },
  'was lost by its device': async ({ id, device }) => {
    device.forget(id)
    await device.sync()
  },
  'waited in vain for its device': () => {
    server.clock.pass(30 * day)
    return Promise.resolve()
  },
  'had a device that enrolled again': async ({ device }) =>
    enrol(server, { token: await server.enrolmentToken(device.machineId) }),
}

describe.each(Object.entries(endings))('of an action that %s', (_, end) => {
  test('nothing is left, and nothing more is taken', async () => {
    const given = await uploading()
    await end(given)
    await untilTrue(() => !isLeft(given.id))
    assert.equal((await server.read(given.id)).status === 'InProgress', false)
    const [status] = await standingOf(server, given.link)
    assert.ok([403, 404].includes(Number(status)))
    await sendPart(server, given.link, { offset: 0, bytes: half })
    assert.deepEqual(files(given.id), [])
  })
})

test('of an action that brought its result, that is left', async () => {
  const { id, device } = await uploading()
  device.finish(id, 'succeeded', { sha256: hash('an earlier one'), size: 14, fileName: 'run.sh.json' })
  await device.sync()
  await untilTrue(() => files(id).length === 1)
  assert.deepEqual(files(id), [`results/0/${hash('an earlier one')}: an earlier one`])
})

test.each(['a further part', 'the last part'])(
  '%s that is under way when the action ends does not outlive it',
  async (kind) => {
    const { id, device, link: path } = await uploading()
    const link = path.slice('/device/transfer/'.length)
    const [begun, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    async function* content(): AsyncGenerator<Buffer> {
      yield Buffer.from('more')
      begun.resolve()
      await ended.promise
    }
    const whole = kind === 'the last part' ? hash(`${String(half)}more`) : null
    const taken = takePart(server.app, link, {
      offset: half.length,
      content: content(),
      sha256: hash('more'),
      whole,
    })
    await begun.promise
    await cancel(server, id)
    device.stop(id)
    await device.sync()
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    assert.equal(isLeft(id), true, 'it is waited for')
    ended.resolve()
    await taken
    await untilTrue(() => !isLeft(id))
  },
)

const put = (folder: string, name: string): void => {
  mkdirSync(join(server.folder, 'files', folder), { recursive: true })
  writeFileSync(join(server.folder, 'files', folder, name), 'x')
}

describe('the sweep', () => {
  test('finds what was left where a server died before it was tidy', async () => {
    const { id } = await broughtTo('succeeded')(server)
    await untilTrue(() => !isLeft(id))
    put(`uploads/${id}`, '0.1')
    put(`results/${id}/0`, hash('x'))
    await sweepFiles(server.app)
    assert.deepEqual(files(id), [])
  })

  test('removes uploads of an action that is unknown', async () => {
    const id = '00000000-0000-7000-8000-000000000000'
    put(`uploads/${id}`, '0.1')
    await sweepFiles(server.app)
    assert.deepEqual(files(id), [])
  })

  test('touches nothing of an action that is open', async () => {
    const { id } = await uploading()
    const before = files(id)
    await sweepFiles(server.app)
    assert.deepEqual(files(id), before)
  })

  test('leaves the results of actions that are over, and no library file that is wanted', async () => {
    const { id, device } = await broughtTo('running')(server)
    device.finish(id, 'succeeded', await device.upload(id, 'text'))
    await device.sync()
    await server.upload('gone.sh', 'gone')
    const token = await server.token('Library.Manage')
    await server.ask({ method: 'DELETE', path: '/api/libraryfiles/gone.sh', token })
    const library = (): readonly string[] => readdirSync(join(server.folder, 'files/library'))
    const before = library()
    // The dates of files are real ones.
    server.clock.now = new Date(Date.now() + 2 * hour)
    await sweepFiles(server.app)
    assert.deepEqual(files(id), [`results/0/${hash('text')}: text`])
    assert.deepEqual(
      library(),
      before.filter((name) => name !== hash('gone')),
    )
    assert.notDeepEqual(library(), before)
  })
})
