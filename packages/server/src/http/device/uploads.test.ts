/** Results on their way here: part by part, taken up where they were, and nothing in between. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { appendFileSync, readdirSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { outcome } from '../../testing/device.ts'
import { broughtTo, runningAs, type Given } from '../../testing/given.ts'
import {
  digestOf,
  filesOfAction,
  partHeaders,
  sendPart,
  standingOf,
  untilTrue,
  type SentPart,
} from '../../testing/parts.ts'
import { checkDialect, checkError } from '../../testing/scenarios.ts'
import { minute, openServer, type Answer, type TestServer } from '../../testing/server.ts'

const mebibyte = 1024 * 1024
const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const one = Buffer.from('the first part, ')
const two = Buffer.from('the second')
const whole = Buffer.concat([one, two])

let server: TestServer
beforeAll(async () => {
  server = await openServer()
  await server.upload('run.sh')
})
afterAll(() => server.close())

const isRefused = (answer: Answer, status: number, code: string, says: readonly RegExp[] = []): void => {
  assert.equal(answer.status, status, answer.text)
  checkDialect(answer)
  checkError(answer, code, says)
}
const send = (path: string, part: SentPart, headers = {}): ReturnType<typeof sendPart> =>
  sendPart(server, path, part, headers)
const standing = (path: string): Promise<readonly unknown[]> => standingOf(server, path)
const isAt = async (path: string, offset: number): Promise<void> =>
  assert.deepEqual(await standing(path), [204, String(offset), '?0', undefined])

interface Begun extends Given {
  readonly path: string
}

const begin = async (start = broughtTo('running')): Promise<Begun> => {
  const given = await start(server)
  return { ...given, path: await given.device.link(given.id, { result: 0 }) }
}
const half = async (): Promise<Begun> => {
  const begun = await begin()
  assert.equal((await send(begun.path, { offset: 0, bytes: one })).status, 204)
  return begun
}
/** Folders go with the action, not before. */
const filesOf = (id: string): readonly string[] =>
  filesOfAction(server, id).filter((entry) => entry.includes(':'))

describe('an upload', () => {
  test('that nobody has begun is at 0', async () => {
    await isAt((await begin()).path, 0)
  })

  test('grows by parts, and is complete with the last: kept under its hash, no action changed', async () => {
    const { id, path } = await begin()
    const before = [await server.read(id), server.history.last()]
    const first = await send(path, { offset: 0, bytes: one })
    assert.deepEqual(
      [first.status, first.text, first.headers['upload-offset']],
      [204, '', String(one.length)],
    )
    await isAt(path, one.length)
    const last = await send(path, { offset: one.length, bytes: two, whole })
    assert.deepEqual([last.status, last.body], [200, { sha256: hash(whole), size: whole.length }])
    const complete = [204, String(whole.length), '?1', digestOf(whole)]
    assert.deepEqual(await standing(path), complete)
    assert.deepEqual(filesOf(id), [`results/0/${hash(whole)}: ${String(whole)}`])
    assert.deepEqual([await server.read(id), server.history.last()], before)
  })

  test('may be one part, an empty one too, and may end with an empty part', async () => {
    const nothing = Buffer.alloc(0)
    for (const bytes of [whole, nothing]) {
      const { path } = await begin()
      const answer = await send(path, { offset: 0, bytes, whole: bytes })
      assert.deepEqual([answer.status, answer.body], [200, { sha256: hash(bytes), size: bytes.length }])
    }
    const { path } = await half()
    assert.equal((await send(path, { offset: one.length, bytes: nothing, whole: one })).status, 200)
  })

  test('goes on under a new link when the old one is over', async () => {
    const { id, device, path } = await half()
    server.clock.pass(31 * minute)
    isRefused(await send(path, { offset: one.length, bytes: two, whole }), 403, 'Forbidden')
    const fresh = await device.link(id, { result: 0 })
    await isAt(fresh, one.length)
    assert.equal((await send(fresh, { offset: one.length, bytes: two, whole })).status, 200)
  })

  test('that stands elsewhere takes nothing, and says where it stands', async () => {
    const { path } = await half()
    for (const offset of [one.length - 1, one.length + 1, 999]) {
      const answer = await send(path, { offset, bytes: two })
      isRefused(answer, 409, 'Conflict')
      assert.equal(answer.headers['upload-offset'], String(one.length))
      assert.equal(answer.headers['upload-complete'], '?0')
    }
    await isAt(path, one.length)
    assert.equal((await send(path, { offset: one.length, bytes: two, whole })).status, 200)
  })

  test('that is complete takes no more, and says so', async () => {
    const { id, path } = await half()
    const last = { offset: one.length, bytes: two, whole }
    await send(path, last)
    for (const part of [last, { offset: whole.length, bytes: two }]) {
      const answer = await send(path, part)
      isRefused(answer, 409, 'Conflict', [/complete/])
      const { headers } = answer
      assert.deepEqual([headers['upload-offset'], headers['upload-complete']], [String(whole.length), '?1'])
    }
    assert.deepEqual(filesOf(id), [`results/0/${hash(whole)}: ${String(whole)}`])
  })

  test('begins anew with a part at 0, in progress or complete', async () => {
    const { id, path } = await half()
    assert.equal((await send(path, { offset: 0, bytes: two })).status, 204)
    await isAt(path, two.length)
    assert.equal(
      (await send(path, { offset: two.length, bytes: one, whole: Buffer.concat([two, one]) })).status,
      200,
    )
    assert.equal((await send(path, { offset: 0, bytes: one })).status, 204)
    await isAt(path, one.length)
    assert.equal((await send(path, { offset: one.length, bytes: two, whole })).status, 200)
    assert.deepEqual((await standing(path))[3], digestOf(whole))
    // Nobody knows yet which of them the device will tell of: the later may be what a dead agent had sent before.
    const both = [whole, Buffer.concat([two, one])]
    assert.deepEqual(
      filesOf(id).toSorted(),
      both.map((bytes) => `results/0/${hash(bytes)}: ${String(bytes)}`).toSorted(),
    )
  })

  test('that comes again and again, each time another one, leaves the last four', async () => {
    const { id, path } = await begin()
    const versions = [1, 2, 3, 4, 5, 6].map((n) => Buffer.from(`version ${n}`))
    for (const bytes of versions)
      assert.equal((await send(path, { offset: 0, bytes, whole: bytes })).status, 200)
    assert.deepEqual(
      filesOf(id).toSorted(),
      versions
        .slice(2)
        .map((bytes) => `results/0/${hash(bytes)}: ${String(bytes)}`)
        .toSorted(),
    )
  })

  test('keeps what the device has reported while it begins anew', async () => {
    const { id, device, path } = await begin()
    const result = await device.upload(id, one)
    const commands = [outcome('Completed', { result })]
    device.tell({ kind: 'ended', action: id, commands })
    await device.sync()
    await send(path, { offset: 0, bytes: two, whole: two })
    const token = await server.token('Machine.Read.All')
    const asked = `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=0)`
    const { body } = await server.ask<{ value: string }>({ method: 'GET', path: asked, token })
    const brought = await server.ask({ method: 'GET', path: new URL(body.value).pathname })
    assert.equal(brought.text, one.toString())
  })

  test('that has been restarted under is taken up where it was, without what came of a broken part', async () => {
    const { id, path } = await half()
    const folder = join(server.folder, 'files/uploads', id)
    server = await server.restart({
      whileDown: () => {
        const [name = ''] = readdirSync(folder)
        appendFileSync(join(folder, name), 'as much as a crash has let through')
      },
    })
    await isAt(path, one.length)
    isRefused(await send(path, { offset: one.length + 1, bytes: two }), 409, 'Conflict')
    const answer = await send(path, { offset: one.length, bytes: two, whole })
    assert.deepEqual([answer.status, answer.body], [200, { sha256: hash(whole), size: whole.length }])
    assert.deepEqual(filesOf(id), [`results/0/${hash(whole)}: ${String(whole)}`])
    server = await server.restart()
    assert.deepEqual(await standing(path), [204, String(whole.length), '?1', digestOf(whole)])
  })
})

describe('a part', () => {
  const last: SentPart = { offset: one.length, bytes: two, whole }

  test.each([
    ['upload-offset', ''],
    ['upload-offset', '-1'],
    ['upload-offset', '1.5'],
    ['upload-offset', '9'.repeat(16)],
    ['upload-complete', ''],
    ['upload-complete', '1'],
    ['content-digest', ''],
    ['content-digest', digestOf(two).replaceAll(':', '')],
    ['content-digest', 'sha-512=:AAAA:'],
    ['content-digest', 'sha-256=:AAAA:'],
    ['repr-digest', ''],
    ['repr-digest', hash(whole)],
  ])('whose %s is "%s" is refused by its name', async (name, value) => {
    const { path } = await half()
    isRefused(await send(path, last, { [name]: value }), 400, 'InvalidInput', [new RegExp(name, 'i')])
    await isAt(path, one.length)
  })

  test('may bring other digests beside the one that counts', async () => {
    const { path } = await half()
    const digests = `sha-512=:AAAA:, ${digestOf(two)}, md5=:AAAA:`
    assert.equal((await send(path, last, { 'content-digest': digests })).status, 200)
  })

  test('whose bytes are not those of its digest leaves nothing', async () => {
    const { path } = await half()
    for (const part of [{ offset: one.length, bytes: two }, last]) {
      const wrong = { 'content-digest': digestOf('other') }
      isRefused(await send(path, part, wrong), 400, 'InvalidInput', [/Content-Digest/])
      await isAt(path, one.length)
    }
    assert.equal((await send(path, last)).status, 200)
  })

  test('that makes another whole than was said: all of it is discarded', async () => {
    const { id, path } = await half()
    isRefused(await send(path, last, { 'repr-digest': digestOf(one) }), 400, 'InvalidInput', [/Repr-Digest/])
    await isAt(path, 0)
    assert.deepEqual(filesOf(id), [])
  })

  test('of 8 MiB is taken, and of one byte more not', async () => {
    const { path } = await begin()
    assert.equal((await send(path, { offset: 0, bytes: Buffer.alloc(8 * mebibyte) })).status, 204)
    const more = { offset: 8 * mebibyte, bytes: Buffer.alloc(8 * mebibyte + 1) }
    isRefused(await send(path, more), 413, 'RequestEntityTooLarge')
    await isAt(path, 8 * mebibyte)
  })

  test('that comes twice at the same time is taken once, and the other one told', async () => {
    const { path } = await begin()
    const bytes = randomBytes(4 * mebibyte)
    const both = [send(path, { offset: 0, bytes: one }), send(path, { offset: one.length, bytes })]
    const third = send(path, { offset: one.length, bytes: two })
    const statuses = (await Promise.all([...both, third])).map(({ status }) => status)
    assert.deepEqual(
      statuses.toSorted((a, b) => a - b),
      [204, 204, 409],
    )
    const size = one.length + (statuses[2] === 204 ? two : bytes).length
    await isAt(path, size)
  })
})

describe('limits', () => {
  const part = Buffer.alloc(8 * mebibyte, 7)
  const bringTo = async (path: string, size: number): Promise<Answer> => {
    for (let offset = 0; ; offset += part.length) {
      const bytes = part.subarray(0, Math.min(part.length, size - offset))
      const isLast = offset + bytes.length === size
      const answer = await send(path, { offset, bytes, ...(isLast && { whole: Buffer.alloc(size, 7) }) })
      if (answer.status !== 204) return answer
    }
  }
  const limitMs = minute
  const getFile = (limit: number) =>
    runningAs({ commands: [{ type: 'GetFile', path: '/x', limit, limitMs }] })

  test.each([
    ['a RunScript', broughtTo('running'), 16 * mebibyte],
    ['a GetFile', getFile(9 * mebibyte + 50), 9 * mebibyte + 50 + 94_373 + mebibyte],
    ['a GetFile of one byte', getFile(1), 2 + mebibyte],
  ] as const)(
    'of %s: so much is taken, and of one byte more everything discarded',
    async (_, start, limit) => {
      const { path } = await begin(start)
      assert.equal((await bringTo(path, limit)).status, 200)
      isRefused(await bringTo(path, limit + 1), 413, 'RequestEntityTooLarge', [new RegExp(String(limit))])
      assert.equal((await standing(path))[2], '?1', 'what was complete before is what there is')
      const other = await begin(start)
      isRefused(await bringTo(other.path, limit + 1), 413, 'RequestEntityTooLarge')
      await isAt(other.path, 0)
      assert.deepEqual(filesOf(other.id), [])
    },
  )

  test('of a package are wider than those', async () => {
    const { path } = await begin(runningAs({ itemLimitMs: minute }, 'CollectInvestigationPackage'))
    assert.equal((await bringTo(path, 17 * mebibyte)).status, 200)
  })

  test('of a scan: it brings no file', async () => {
    const { id, device } = await runningAs({ scanType: 'Quick' }, 'RunAntiVirusScan')(server)
    isRefused(await device.ask(id, { result: 0 }), 400, 'InvalidInput')
  })
})

describe('over a real connection', () => {
  let port = 0
  beforeAll(async () => {
    const address = await server.http.listen({ port: 0, host: '127.0.0.1' })
    port = Number(new URL(address).port)
  })

  /** Sends `sent` of the bytes that it announces, and does what is to be done with the connection then. */
  const open = (path: string, headers: Readonly<Record<string, string>>, length: number) =>
    request({
      host: '127.0.0.1',
      port,
      path,
      method: 'PATCH',
      headers: { ...headers, 'content-length': length },
    })

  test('that breaks in the midst of a part leaves the parts before, and lets the next one in', async () => {
    const { id, path } = await half()
    const bytes = randomBytes(mebibyte)
    const asked = open(path, partHeaders({ offset: one.length, bytes }), bytes.length)
    const broken = new Promise((resolve) => asked.on('error', resolve))
    asked.write(bytes.subarray(0, 300_000))
    await untilTrue(() => (filesOf(id)[0]?.length ?? 0) > 1000)
    await isAt(path, one.length)
    asked.destroy()
    await broken
    assert.equal((await send(path, { offset: one.length, bytes: two, whole })).status, 200)
    assert.deepEqual(filesOf(id), [`results/0/${hash(whole)}: ${String(whole)}`])
  })

  test('a part that is too large is told so before it has all come', async () => {
    const { path } = await half()
    const bytes = Buffer.alloc(9 * mebibyte)
    const asked = open(path, partHeaders({ offset: one.length, bytes }), bytes.length)
    const status = new Promise((resolve, reject) =>
      asked.on('response', ({ statusCode }) => resolve(statusCode)).on('error', reject),
    )
    asked.write(bytes.subarray(0, 8 * mebibyte + 100_000))
    assert.equal(await status, 413)
    asked.destroy()
    await isAt(path, one.length)
  })
})
