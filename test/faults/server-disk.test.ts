/** The server's disk is full, read-only or failing: what cannot be stored is refused in words, and what is stored is still read. */
import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { openWorld, type World } from '../end-to-end/fixture.ts'
import { until } from '../end-to-end/program.ts'
import { needs } from '../needs.ts'
import {
  assertStopped,
  assertVerified,
  assertWhole,
  letGo,
  startWaiting,
  untilGone,
  type Issued,
} from './acts.ts'
import { breakCalls } from './broken-calls.ts'
import { openMounts, type Disk, type Mounts } from './mounts.ts'

const timeout = 60_000
const isAble = needs('root') && needs('cgroup2') && needs('unshare') && needs('nsenter')

interface Envelope {
  readonly error: { readonly code: string; readonly message: string; readonly target: string }
}

/** Refused as a store that cannot be written refuses: the code of the reference, and words that help. */
async function assertUnavailable(answer: Response): Promise<void> {
  const { error }: Envelope = JSON.parse(await answer.text())
  assert.deepEqual([answer.status, error.code], [503, 'ServiceUnavailable'], error.message)
  assert.match(error.message, /cannot be (written|kept): .*\. Nothing was stored; try again\.$/)
  assert.equal(answer.headers.get('request-id'), error.target)
}

function upload({ api }: World, name: string, description = ''): Promise<Response> {
  const form = new FormData()
  form.set('file', new File(['#!/bin/sh\n'], name))
  form.set('Description', description)
  return api.ask('POST', '/api/libraryfiles', form)
}

const cancelling = ({ id }: Issued): string => `/api/machineactions/${id}/cancel`

describe.skipIf(!isAble)('the server’s disk', { timeout }, () => {
  let mounts: Mounts
  let disk: Disk
  let world: World
  beforeAll(async () => {
    mounts = await openMounts()
    let made: Disk | null = null
    const aroundServer = (folder: string): readonly string[] => {
      made ??= mounts.disk(folder, 'server', 32 * 1024 * 1024)
      disk = made
      return mounts.inside
    }
    world = await openWorld({ aroundServer, serverFlags: ['--settle-ms', '200'] })
  }, timeout)
  afterAll(async () => {
    await world.close()
    await mounts.close()
  }, timeout)

  test('is full: no write is taken and none half, reads go on, and all goes on when there is room', async () => {
    const issued = await startWaiting(world)
    const body = {
      Comment: 'no room',
      Commands: [{ type: 'RunScript', params: [{ key: 'ScriptName', value: 'script-1.sh' }] }],
    }
    disk.fill()
    try {
      await assertUnavailable(await world.api.ask('POST', cancelling(issued), { Comment: 'in vain' }))
      await assertUnavailable(await upload(world, 'no-room.sh'))
      await assertUnavailable(await world.api.ask('POST', '/api/countermand/enrolmenttokens', {}))
      // Refused by the rules before anything is to be stored: that is still said as it is.
      const second = await world.api.ask(
        'POST',
        `/api/machines/${world.device.machineId}/runliveresponse`,
        body,
      )
      assert.equal(second.status, 400)
      const now = await world.api.action(issued.id)
      assert.deepEqual([now.status, now.countermand.cancel], ['InProgress', null])
      const listed = await (await world.api.ask('GET', '/api/libraryfiles')).text()
      assert.equal(listed.includes('no-room.sh'), false)
    } finally {
      disk.empty()
    }
    assert.equal((await world.api.cancel(issued.id, 'with room')).status, 200)
    await assertStopped(world, issued)
    assert.equal((await upload(world, 'no-room.sh')).status, 200)
  })

  test('is full when a script ends: the device keeps its result, and brings it when there is room', async () => {
    const issued = await startWaiting(world)
    disk.fill()
    try {
      letGo(issued)
      await untilGone(issued)
      await pause(500)
      assert.equal((await world.api.action(issued.id)).status, 'InProgress')
    } finally {
      disk.empty()
    }
    await assertWhole(world, issued)
  })

  test('is full when its log has grown: the server lives on, also while nothing can be carried over', async () => {
    // From 4 MB on it is carried over into the database; the log keeps its length, and is written from its beginning again.
    const log = join(world.dataFolder, 'countermand.db-wal')
    for (let n = 0; statSync(log).size <= 4 * 1024 * 1024; n += 1)
      assert.equal((await upload(world, `long-${n}.sh`, 'x'.repeat(500_000))).status, 200)
    const issued = await startWaiting(world)
    disk.fill()
    try {
      // Some of these fit into the room that the log has; then the log is to be carried over, and cannot be.
      for (let n = 0; n < 6; n += 1) {
        const answer = await world.api.ask('POST', cancelling(issued), { Comment: 'x'.repeat(200_000) })
        if (answer.status === 503) await assertUnavailable(answer)
        else assert.ok([200, 400].includes(answer.status), String(answer.status))
        await pause(150)
      }
      assert.equal((await world.api.ask('GET', '/api/machines')).status, 200)
    } finally {
      disk.empty()
    }
    await world.api.cancel(issued.id, 'x'.repeat(200_000))
    await assertStopped(world, issued)
  })

  test('is read-only for its files: an upload is refused, and taken when it can be written', async () => {
    disk.readOnly(true)
    try {
      await assertUnavailable(await upload(world, 'read-only.sh'))
    } finally {
      disk.readOnly(false)
    }
    assert.equal((await upload(world, 'read-only.sh')).status, 200)
  })

  test('is read-only when the server starts: it says so in a sentence and ends', async () => {
    const { server, dataFolder } = world
    await server.kill()
    const from = server.output().length
    disk.readOnly(true)
    try {
      server.start()
      await until('its end', () => server.output().slice(from).includes('[server ended'))
    } finally {
      disk.readOnly(false)
    }
    const said = server.output().slice(from)
    assert.match(said, /\[server ended: 1\]\n$/)
    assert.ok(said.startsWith(`The data folder ${dataFolder} cannot be written`), said)
    assert.equal(said.includes('    at '), false, 'a sentence, and no stack')
    await world.startServer()
  })

  test('has left no trace of all this: every word of it holds', async () => {
    await assertVerified(world, { inside: mounts.inside })
    const last = await startWaiting(world)
    letGo(last)
    await assertWhole(world, last)
  })
})

describe.skipIf(!isAble || !needs('strace'))('the server’s database', { timeout }, () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld({ serverFlags: ['--settle-ms', '200'] })
  }, timeout)
  afterAll(() => world.close(), timeout)

  test.each([
    ['pwrite64', 'EROFS', 'cannot be written any more, its disk being read-only'],
    ['pwrite64', 'ENOSPC', 'finds no room'],
    ['fsync,fdatasync', 'EIO', 'cannot be brought to the disk'],
  ])('(%s: %s) %s: 503 and nothing is acknowledged; it goes on when it can', async (call, error) => {
    const issued = await startWaiting(world)
    const path = join(world.dataFolder, 'countermand.db-wal')
    const broken = await breakCalls(world.server.pid, { call, path, error })
    try {
      await assertUnavailable(await world.api.ask('POST', cancelling(issued), { Comment: 'in vain' }))
      const now = await world.api.action(issued.id)
      assert.deepEqual([now.status, now.countermand.cancel], ['InProgress', null])
    } finally {
      await broken.mend()
    }
    assert.equal((await world.api.cancel(issued.id)).status, 200)
    await assertStopped(world, issued)
    await assertVerified(world)
  })
})
