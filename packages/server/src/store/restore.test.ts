/** A server put back from a backup (`cancel.md` 5, and 6 point 11): what it forgot must not become a lie. */
import assert from 'node:assert/strict'
import { copyFileSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { test } from 'vitest'
import type { MachineAction } from '@countermand/contract'
import { enrol, type TestDevice } from '../testing/device.ts'
import { openServer, type TestServer } from '../testing/server.ts'

const cancel = async (server: TestServer, id: string): Promise<MachineAction> => {
  const token = await server.token('Machine.Isolate')
  const path = `/api/machineactions/${id}/cancel`
  return (await server.ask<MachineAction>({ method: 'POST', path, token, body: { Comment: 'mistake' } })).body
}

/** A device that has taken an action which the server, put back, believes never left it. */
async function forgotten(
  flags: readonly string[],
  { hasSpoken = true } = {},
): Promise<{ server: TestServer; device: TestDevice; id: string }> {
  const before = await openServer({ databaseUrl: null })
  await before.upload('run.sh')
  const device = await enrol(before)
  if (hasSpoken) await device.sync()
  const { id } = await before.issue(device.machineId)
  const database = join(before.folder, 'countermand.db')
  const backup = `${database}.backup`
  const live = new DatabaseSync(database)
  live.exec(`VACUUM INTO '${backup}'`)
  live.close()
  await device.sync()
  const putBack = (): void => {
    for (const ending of ['', '-wal', '-shm']) rmSync(database + ending, { force: true })
    copyFileSync(backup, database)
  }
  const server = await before.restart({ flags, whileDown: putBack })
  device.server = server
  return { server, device, id }
}

test('an action that was queued in the backup is not said to have never been offered', async () => {
  const { server, device, id } = await forgotten(['--restored'])
  try {
    const asked = await cancel(server, id)
    assert.deepEqual(
      [asked.status, asked.countermand.phase, asked.countermand.proof],
      ['Pending', 'offered', null],
    )
    const first = await device.sync()
    assert.deepEqual(
      [first.offers, first.cancels],
      [[], [id]],
      'a device of the old epoch is offered nothing',
    )
    device.refuseStart(id)
    await device.sync()
    const end = await server.read(id)
    assert.deepEqual([end.status, end.countermand.proof], ['Cancelled', 'refused_start'])
  } finally {
    await server.close()
  }
})

test('absence from a list of the old epoch proves nothing; from one of the new epoch it does', async () => {
  const { server, device, id } = await forgotten(['--restored'])
  try {
    await cancel(server, id)
    const old = await device.exchange(await device.say({ held: [] }))
    assert.equal((await server.read(id)).status, 'Pending')
    device.obey(old)
    await device.exchange(await device.say({ held: [] }))
    assert.equal((await server.read(id)).countermand.proof, 'not_received')
  } finally {
    await server.close()
  }
})

test('nor does absence from a first statement, recorded and said again before the device is heard', async () => {
  const { server, device, id } = await forgotten(['--restored'], { hasSpoken: false })
  try {
    await cancel(server, id)
    const [recorded] = device.said
    assert.ok(recorded)
    await device.exchange(recorded)
    assert.equal((await server.read(id)).status, 'Pending')
    device.refuseStart(id)
    await device.sync()
    assert.equal((await server.read(id)).countermand.proof, 'refused_start')
  } finally {
    await server.close()
  }
})

test('a restore is an event, and leaves an alarm when a device remembers more than the backup', async () => {
  const { server, device } = await forgotten(['--restored'])
  try {
    const kinds = (): string[] =>
      server.rows.all('select kind from events order by n').map(({ kind }) => String(kind))
    assert.ok(kinds().includes('server.restored'))
    await device.sync()
    assert.ok(kinds().includes('device.history_contradicted'))
  } finally {
    await server.close()
  }
})

test('without the flag the lie would be told: that is what it is for', async () => {
  const { server, id } = await forgotten([])
  try {
    assert.equal((await cancel(server, id)).countermand.proof, 'never_offered')
  } finally {
    await server.close()
  }
})
