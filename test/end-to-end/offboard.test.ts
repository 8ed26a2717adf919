/** A device that is offboarded: a real agent ends, keeps its evidence and no key, and comes back by a token only. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, existsSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Machine, MachineAction } from '@countermand/contract'
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest'
import { assertVerified } from '../faults/acts.ts'
import { needs } from '../needs.ts'
import { agentMain, openWorld, withWorld, type World } from './fixture.ts'
import { until } from './program.ts'

const timeout = 60_000
const isAble = needs('root')
const run = promisify(execFile)

/** The secret half of the device's key. */
const secretOf = (dataFolder: string): string => {
  const { key }: { key: { d: string } } = JSON.parse(readFileSync(join(dataFolder, 'identity.json'), 'utf8'))
  assert.match(key.d, /^[\w-]{43}$/)
  return key.d
}

function assertNowhere(word: string, folder: string): void {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile())
  assert.ok(files.length > 5, 'its evidence is kept')
  const holding = files
    .map((file) => join(file.parentPath, file.name))
    .filter((file) => readFileSync(file).includes(word))
  assert.deepEqual(holding, [], 'a file has the key')
}

describe.skipIf(!isAble)('a device that is offboarded', { timeout }, () => {
  let armed = ''
  let world: World
  beforeAll(async () => {
    // The server is on this host too; nobody isolates anything here.
    const agentFlags = ['--allow-containment']
    world = await openWorld({ agentFlags, around: () => ['env', `COUNTERMAND_KILL_AT=${armed}`] })
  }, timeout)
  afterAll(async () => world.close(), timeout)
  afterEach(() => void (armed = ''))

  const offboard = async (): Promise<string> => {
    const path = `/api/machines/${world.device.machineId}/offboard`
    const answer = await world.api.ask('POST', path, { Comment: 'sold' })
    const text = await answer.text()
    assert.equal(answer.status, 201, text)
    const { id }: MachineAction = JSON.parse(text)
    return id
  }
  const machine = async (): Promise<Machine> => {
    const answer = await world.api.ask('GET', `/api/machines/${world.device.machineId}`)
    const found: Machine = JSON.parse(await answer.text())
    return found
  }
  const since = (before: number): string => world.device.program.output().slice(before)

  test('says so, ends with 0, keeps what it has done, has no key any more, and is asked nothing more', async () => {
    const { api, device } = world
    const { dataFolder, machineId } = device
    const { id: before } = await api.run(machineId, '#!/bin/sh\necho done\n')
    await api.untilOver(before)
    const secret = secretOf(dataFolder)
    const said = device.program.output().length

    const id = await offboard()
    await device.program.gone()
    const { status } = await api.action(id)
    assert.equal(status, 'Succeeded')
    assert.match(since(said), new RegExp(`offboarded at .* by action ${id}.*--enrol TOKEN`))
    assert.match(since(said), /\[agent ended: 0\]\n$/)

    assertNowhere(secret, dataFolder)
    assert.ok(existsSync(join(dataFolder, 'journal', id, 'outcome.json')))
    assert.ok(existsSync(join(dataFolder, 'remembered', `${before}.json`)))
    const { onboardingStatus, healthStatus, countermand } = await machine()
    assert.deepEqual([onboardingStatus, healthStatus], ['CanBeOnboarded', 'Inactive'])
    assert.notEqual(countermand.offboardedDateTimeUtc, null)
    const answer = await api.ask('POST', `/api/machines/${machineId}/unisolate`, { Comment: 'x' })
    assert.equal(answer.status, 403)
    assert.match(await answer.text(), /"DisallowedOperation".*was offboarded/)
    await assertVerified(world)
  })

  test('says at each start that it was, and how to come back; status says it too', async () => {
    const flags = ['--data', world.device.dataFolder]
    const start = run(process.execPath, [agentMain, ...flags]).catch((thrown: unknown) => thrown)
    const { code, stderr } = (await start) as { code: number; stderr: string }
    assert.equal(code, 78)
    assert.match(stderr, new RegExp(`device ${world.device.machineId} .* was offboarded .*--enrol TOKEN`))
    const { stdout } = await run(process.execPath, [agentMain, 'status', ...flags])
    assert.match(stdout, /was offboarded/)
  })

  test('comes back under its id by a token that is made for it, and works', async () => {
    const { api, device } = world
    const { machineId } = device
    await world.enrolAgain()
    assert.equal(device.machineId, machineId)
    const { id } = await api.run(machineId, '#!/bin/sh\necho again\n')
    assert.equal((await api.untilOver(id)).status, 'Succeeded')
    assert.equal((await api.result(id)).script_output, 'again\n')
    const { onboardingStatus, countermand } = await machine()
    assert.deepEqual([onboardingStatus, countermand.offboardedDateTimeUtc], ['Onboarded', null])
    await assertVerified(world)
  })

  test('and has not heard that it was believed: that its key is refused is the answer', async () => {
    const { api, device } = world
    const { dataFolder } = device
    await device.program.leave()
    armed = 'committed'
    await device.start()
    const id = await offboard()
    await device.program.gone()
    armed = ''
    const [copy, gone] = ['as it was', 'gone'].map((name) => join(world.folder, name)) as [string, string]
    cpSync(dataFolder, copy, { recursive: true })
    device.startAlone()
    await device.program.gone()
    assert.equal((await api.untilOver(id)).status, 'Succeeded')

    // As it was past the commit point, before a word of it was heard.
    renameSync(dataFolder, gone)
    renameSync(copy, dataFolder)
    const secret = secretOf(dataFolder)
    const said = device.program.output().length
    device.startAlone()
    await device.program.gone()
    assert.doesNotMatch(since(said), /^connected/m)
    assert.match(since(said), /\[agent ended: 0\]\n$/)
    assertNowhere(secret, dataFolder)
    // What it said the second time was said to nobody.
    renameSync(dataFolder, copy)
    renameSync(gone, dataFolder)
    await assertVerified(world)
  })
})

describe.skipIf(!isAble)('the agent beside its server', { timeout }, () => {
  test('is offboarded only where that is allowed; then none is started any more, and the server says how to bring it back', async () => {
    await withWorld({ embedded: true, serverFlags: ['--allow-containment'] }, async (world) => {
      const { api, device, server } = world
      const { machineId } = device
      const identity = join(device.dataFolder, 'identity.json')
      const path = `/api/machines/${machineId}/offboard`
      const answer = await api.ask('POST', path, { Comment: 'sold' })
      const { id }: MachineAction = JSON.parse(await answer.text())
      assert.equal((await api.untilOver(id)).status, 'Succeeded')
      await until('the server to say so', () => server.output().includes(`remove ${identity}`))
      assert.doesNotMatch(server.output(), /starting it again/)

      await server.leave()
      const before = server.output().length
      await world.startServer()
      assert.match(server.output().slice(before), /no agent runs beside the server/)

      await server.leave()
      rmSync(identity)
      await world.startServer()
      await until('it to be back', async () => {
        const found = await api.ask('GET', `/api/machines/${machineId}`)
        return existsSync(identity) && (await found.text()).includes('"onboardingStatus":"Onboarded"')
      })
      assert.equal(device.machineId, machineId)
      await assertVerified(world)
    })
  })
})
