/** Clients that others have written, as they are, and the recipes of `docs/clients.md`, as they are printed. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { MachineAction } from '@countermand/contract'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { needs } from '../needs.ts'
import { openNetwork } from './network.ts'
import { recipe, recipes } from './recipe.ts'
import { openStage, type Stage } from './stage.ts'

const hasAll = [needs('openssl'), needs('curl'), needs('msal')].every((is) => is)
const hasNetwork = [needs('root'), needs('unshare'), needs('nsenter'), needs('ip')].every((is) => is)
const python = '/usr/bin/python3'

/** What `sdk.mjs` prints. */
interface Seen {
  readonly fromCache: readonly boolean[]
  readonly machine: { readonly id: string; readonly osPlatform: string }
  readonly created: MachineAction
  readonly found: { readonly '@odata.count': number; readonly value: readonly unknown[] }
  readonly cancelled: MachineAction
  readonly tooLate: readonly unknown[]
  readonly unknown: readonly unknown[]
  readonly begun: MachineAction
  readonly stopped: MachineAction
  readonly uploaded: { readonly fileName: string }
  readonly response: MachineAction
  readonly ended: MachineAction
  readonly noResult: readonly unknown[]
  readonly paged: readonly string[]
}

describe.skipIf(!hasAll)('against a real server that speaks TLS', () => {
  let stage: Stage
  beforeAll(async () => void (stage = await openStage('the server')))
  afterAll(() => stage.close())

  test.each([
    ['curl', () => ['/bin/bash', '-c', recipe('curl')], /^Cancelled$/],
    [
      'Python',
      () => [python, '-c', recipe('Python')],
      /^Cancelled (never_offered|not_received|refused_start|stopped)$/,
    ],
    ['MSAL for Python', () => [python, '-c', recipe('MSAL for Python')], /^Cancelled stopped$/],
    [
      'MSAL for Node',
      () => [process.execPath, '--input-type=module', '-e', recipe('MSAL for Node')],
      /^Cancelled (never_offered|not_received|refused_start|stopped)$/,
    ],
  ])('the recipe "%s" ends in a cancelled action', async (_, command, ends) => {
    assert.match((await stage.run(command())).trim(), ends)
  })
})

test.skipIf(!hasAll)('the recipe "Python" goes through a proxy that ends TLS as well', async () => {
  const stage = await openStage('a proxy')
  try {
    assert.match(await stage.run([python, '-c', recipe('Python')]), /^Cancelled /)
  } finally {
    await stage.close()
  }
})

describe.skipIf(!hasAll || !hasNetwork)('where the names of Microsoft lead here', () => {
  const [started = '', hosts = '', seed = ''] = recipes('Fixed hosts')
  let stage: Stage
  beforeAll(async () => void (stage = await openNetwork(started, hosts)))
  afterAll(() => stage.close())

  test('the example of Microsoft’s documentation works as it stands there, host included', async () => {
    assert.ok(seed.includes('POST "https://api.securitycenter.microsoft.com/api/machineactions/$ID/cancel"'))
    const action: MachineAction = JSON.parse(await stage.run(['/bin/bash', '-c', seed]))
    assert.equal(action.cancellationComment, 'Machine action was canceled by automation')
    assert.equal(action.cancellationRequestor, 'first application')
    assert.ok(['Pending', 'InProgress', 'Cancelled'].includes(action.status), action.status)
  })

  test('MSAL for Python with Microsoft’s own authority', async () => {
    const { tenantId, clientId, clientSecret } = stage.credentials
    const program = join(import.meta.dirname, 'playbook.py')
    const seen: unknown = JSON.parse(await stage.run([python, program, tenantId, clientId, clientSecret]))
    assert.deepEqual(seen, ['Cancelled', 'stopped', 'Machine action was canceled by automation'])
  })

  test('MSAL for Node and the client library for Graph, with the addresses of Microsoft’s documentation', async () => {
    const { tenantId, clientId, clientSecret, machineId } = stage.credentials
    const program = join(import.meta.dirname, 'sdk.mjs')
    const command = [process.execPath, program, tenantId, clientId, clientSecret]
    const seen: Seen = JSON.parse(await stage.run(command))

    assert.deepEqual(seen.fromCache.slice(0, 2), [false, true], 'MSAL keeps the token as long as it was told')
    assert.deepEqual([seen.machine.id, seen.machine.osPlatform], [machineId, 'Linux'])
    assert.deepEqual([seen.created.type, seen.created.status], ['CollectInvestigationPackage', 'Pending'])
    const { id } = seen.created
    assert.equal(seen.found['@odata.count'], 1)
    assert.deepEqual(seen.found.value, [{ id, requestorComment: 'case 17' }])
    assert.deepEqual([seen.cancelled.id, seen.cancelled.status], [id, 'Cancelled'])
    assert.equal(seen.cancelled.cancellationComment, 'wrong host')
    const [status, code, message] = seen.tooLate
    assert.deepEqual([status, code], [400, 'BadRequest'])
    assert.match(String(message), /already Cancelled/)
    const nobody = '0'.repeat(40)
    assert.deepEqual(seen.unknown, [404, 'ResourceNotFound', `Machine ${nobody} was not found`])
    assert.deepEqual([seen.begun.type, seen.begun.status], ['RunAntiVirusScan', 'InProgress'])
    assert.deepEqual([seen.stopped.id, seen.stopped.status], [seen.begun.id, 'Cancelled'])
    assert.equal(seen.stopped.countermand.proof, 'stopped')
    assert.equal(seen.uploaded.fileName, 'wait.sh')
    assert.equal(seen.response.commands[0]?.commandStatus, 'Created')
    assert.deepEqual([seen.ended.id, seen.ended.status], [seen.response.id, 'Cancelled'])
    assert.equal(seen.ended.commands[0]?.commandStatus, 'Failed')
    assert.deepEqual(seen.noResult.slice(0, 2), [404, 'ResourceNotFound'])
    assert.deepEqual(seen.paged, [seen.response.id, seen.begun.id, id], 'page by page, newest first')
  })
})
