/** A database that was put back from a backup: devices know more than it does, and the server says why. */
import assert from 'node:assert/strict'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { enrol, type TestDevice } from '../testing/device.ts'
import { impatient, openServer, unlimited, type TestServer } from '../testing/server.ts'
import { openSqliteSnapshot } from './snapshot.ts'
import { faultsIn, reportsOn, type Found } from './testing/copies.ts'

/** What the device and the first server went through after the backup is forgotten; then they go on. */
async function restored(run: (after: TestServer, device: TestDevice) => Promise<void>): Promise<void> {
  const before = await openServer({ databaseUrl: null })
  await before.upload('run.sh')
  const device = await enrol(before)
  const { id } = await before.issue(device.machineId)
  await device.bring(id, 'running')
  const { id: queued } = await before.issue((await enrol(before, { name: 'other' })).machineId)
  const database = join(before.folder, 'countermand.db')
  before.rows.exec(`vacuum into '${database}.backup'`)
  device.finish(id)
  await device.sync()
  await device.bring((await before.issue(device.machineId)).id, 'succeeded')
  const putBack = (): void => {
    for (const ending of ['', '-wal', '-shm']) rmSync(database + ending, { force: true })
    cpSync(`${database}.backup`, database)
  }
  const after = await before.restart({
    flags: [...unlimited, ...impatient, '--restored'],
    whileDown: putBack,
  })
  device.server = after
  try {
    // As an agent does that hears a new epoch: what had ended is listed and told again.
    await device.sync()
    device.finish(id)
    await device.sync()
    await device.bring((await after.issue(device.machineId)).id, 'succeeded')
    await device.sync()
    assert.equal((await after.read(queued)).countermand.phase, 'offered')
    await run(after, device)
  } finally {
    await after.close()
  }
}

const foundIn = async (file: string, isRestored: boolean): Promise<readonly Found[]> =>
  faultsIn(await reportsOn(openSqliteSnapshot(file), [], isRestored))

describe('after a backup was put back', () => {
  test('what a device knew beyond it is a fault for who did not do that, and none for who did', () =>
    restored(async (after, device) => {
      const file = join(after.folder, 'countermand.db')
      const [found, ...others] = await foundIn(file, false)
      assert.deepEqual([found?.chain, others], [device.machineId, []])
      assert.match(found?.kind ?? '', /truncated tail|rewritten history/)
      assert.deepEqual(await foundIn(file, true), [])
    }))

  test('everything else is found as ever', () =>
    restored(async (after, device) => {
      const file = join(after.folder, 'countermand.db')
      const last = 'select max(sequence) from events e where e.chain = events.chain'
      after.rows.exec(
        `update events set at = at + 1 where chain = '${device.machineId}' and sequence = (${last})`,
      )
      assert.deepEqual(
        (await foundIn(file, true)).map(({ chain, kind }) => [chain, kind]),
        [[device.machineId, 'changed row']],
      )
    }))
})
