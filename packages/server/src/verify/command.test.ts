/** The command itself: what it prints, and what it ends with. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { enrol, type TestDevice } from '../testing/device.ts'
import { openServer, type TestServer } from '../testing/server.ts'
import { Copy, agentFolder } from './testing/copies.ts'

const root = join(import.meta.dirname, '../../../..')
const main = join(import.meta.dirname, 'main.ts')

type Ended = { readonly code: number; readonly out: string; readonly err: string }

function end(...command: readonly string[]): Promise<Ended> {
  const env = { PATH: process.env.PATH }
  return new Promise((resolve) => {
    execFile(process.execPath, command, { env }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    )
  })
}

const verifyBy = (...args: readonly string[]): Promise<Ended> => end(main, ...args)

describe('the command', () => {
  let own: TestServer
  let device: TestDevice
  beforeAll(async () => {
    own = await openServer({ databaseUrl: null })
    await own.upload('run.sh')
    device = await enrol(own)
    const { id } = await own.issue(device.machineId)
    await device.bring(id, 'succeeded')
    await device.sync()
  })
  afterAll(() => own.close())
  const withOwn = async (run: (copy: Copy) => Promise<void>): Promise<void> => {
    const copy = new Copy(own)
    await run(copy).finally(() => copy.close())
  }

  test('ends with 0 and says how much it has seen', () =>
    withOwn(async (copy) => {
      const { code, out, err } = await end(join(root, 'run.mjs'), 'verify', '--data', copy.folder)
      assert.equal(code, 0, out + err)
      assert.match(
        out,
        /^device ws-017 \([0-9a-f]{40}\): 6 events, 1 action, \d statements with 2 items of news$/m,
      )
      assert.match(out, /^verified: 8 events in 2 chains, \d statements, 1 action; no agent’s data folder/m)
    }))

  test('ends with 1 and says what is wrong, where, and what it means; the agent’s folder in it is taken along', () =>
    withOwn(async (copy) => {
      const folder = agentFolder(device, await device.sync())
      cpSync(folder, join(copy.folder, 'agent'), { recursive: true })
      copy.cut(device.machineId, 2)
      copy.report(device.machineId)
      const { code, out } = await verifyBy('--data', copy.folder)
      assert.equal(code, 1, out)
      const told =
        /FAULT, truncated tail\n {4}where: {2}the agent's .*\n {4}what: {3}.* 6, .* is 4\n {4}means: {2}/
      assert.match(out, told)
      assert.match(out, /^NOT verified: 1 chain of 2 with a fault$/m)
    }))

  test('compares the folders that it is given, and takes that of no agent for a mistake', () =>
    withOwn(async (copy) => {
      const folder = agentFolder(device, await device.sync())
      const good = await verifyBy('--data', copy.folder, '--agent', folder)
      assert.match(good.out, /; 1 agent’s data folder compared$/m)
      const { code, err } = await verifyBy('--data', copy.folder, '--agent', copy.folder)
      assert.equal(code, 2)
      assert.match(err, /not the data folder of an agent/)
    }))

  test('ends with 2 where there is nothing to check, or nothing that it understands', async () => {
    const nowhere = await verifyBy('--data', join(tmpdir(), 'there-is-no-such-folder'))
    assert.deepEqual([nowhere.code, nowhere.out], [2, ''])
    assert.match(nowhere.err, /^Not checked: There is no /)
    assert.equal((await verifyBy('--date', 'x')).code, 2)
  })

  test('knows whom statements were said to by the order key beside the database', () =>
    withOwn(async (copy) => {
      const key = await exportJWK((await generateKeyPair('EdDSA', { extractable: true })).privateKey)
      writeFileSync(join(copy.folder, 'keys', 'order.jwk'), JSON.stringify(key))
      const { code, out } = await verifyBy('--data', copy.folder)
      assert.equal(code, 1)
      assert.match(out, /FAULT, forged statement\n.*\n.*said to another server/)
    }))
})
