/** What is printed is what is committed, is OpenAPI, and says what the contract says. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { operations, problemOf, type Operation } from '@countermand/contract'
import { compareFields, compareOperations } from '@countermand/contract/documents/compatibility'
import { printOpenApi } from '@countermand/contract/documents/openapi'
import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, test } from 'vitest'
import { refusalStatus } from '../core/errors.ts'
import { printouts } from './printouts.ts'

const root = join(import.meta.dirname, '../../../..')
const document = printOpenApi({
  operations,
  errors: refusalStatus,
  server: 'https://countermand.example',
  tenantId: '7c1f2b0e-93aa-4f0d-8b55-0d6c0f6d1a01',
})
const printed = Object.values(document.paths).flatMap((item) => Object.values(item))
const of = (name: string) => printed.find(({ operationId }) => operationId === name)!
const rows: [string, Operation][] = Object.entries(operations)

test.each(Object.entries(printouts()))('%s is what the contract prints', (path, text) => {
  const committed = readFileSync(join(root, path), 'utf8')
  assert.ok(committed === text, `${path} is not what the contract says now. Run: npm run print`)
})

describe('the OpenAPI document', () => {
  test('is one, by the schema of OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(JSON.parse(JSON.stringify(document)))
    assert.ok(valid, JSON.stringify(errors, null, 2))
  })

  test('has every operation once', () => {
    const names = printed.map(({ operationId }) => operationId)
    assert.deepEqual(names.toSorted(), Object.keys(operations).toSorted())
  })

  test('names nothing that is not there', () => {
    for (const [, name = ''] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g))
      assert.ok(document.components.schemas[name], name)
    for (const [, name = ''] of JSON.stringify(document).matchAll(/"#\/components\/responses\/(\w+)"/g))
      assert.ok(document.components.responses[name], name)
  })

  test.each(rows.filter(([, { body }]) => body !== undefined))('%s has an example that fits', (name, row) => {
    const example = of(name).requestBody?.content['application/json']?.example
    assert.equal(problemOf(row.body!, example), null)
  })

  const replying = rows.filter(([, row]) => row.status !== 204 && !('media' in row))
  test.each(replying)('%s shows a reply that fits', (name, row) => {
    const reply = of(name).responses[row.status]
    assert.ok(reply !== undefined && 'description' in reply)
    assert.equal(problemOf(row.reply, reply.content?.['application/json']?.example), null)
  })

  test('says permissions with their display names, in words and as data', () => {
    const { description, security, 'x-permissions': permissions } = of('runLiveResponse')
    const name = { name: 'Machine.LiveResponse', displayName: 'Run live response on a specific machine' }
    assert.deepEqual(permissions, { application: [name], delegated: [name] })
    assert.deepEqual(security, [{ oauth2: ['Machine.LiveResponse'] }])
    assert.match(
      description,
      /\| Application \| Machine\.LiveResponse \| Run live response on a specific machine \|/,
    )
    assert.match(description, /Rate limit: 10 calls per minute\./)
  })

  test('writes a function in a path as the reference does', () => {
    const path = '/api/machineactions/{id}/GetLiveResponseResultDownloadLink(index={index})'
    const names = document.paths[path]?.get?.parameters?.map((each) => `${each.name} ${each.schema.type}`)
    assert.deepEqual(names, ['id string', 'index integer'])
  })

  test('names every code of a refusal', () => {
    const text = JSON.stringify(document.components.responses)
    const wanted = Object.entries(refusalStatus).filter(([, status]) => status !== 416)
    assert.deepEqual(
      wanted.filter(([code]) => !text.includes(code)),
      [],
    )
  })
})

describe('compatibility', () => {
  const lines = compareOperations(operations)
  const stand = (method: string, path: string): string | undefined =>
    lines.find((line) => line.method === method && line.path === path)?.stand

  test('has every operation of ours', () => {
    assert.equal(lines.filter((line) => line.stand !== 'absent').length, rows.length)
  })

  test('knows same, extended and absent', () => {
    assert.equal(stand('GET', '/api/machineactions/{id}'), 'same')
    assert.equal(stand('POST', '/api/countermand/enrolmenttokens'), 'extended')
    assert.equal(
      compareFields('MachineAction').find(({ field }) => field === 'countermand')?.stand,
      'extended',
    )
    assert.equal(compareFields('MachineAction').find(({ field }) => field === 'id')?.stand, 'same')
    assert.equal(
      compareOperations({}).every((line) => line.stand === 'absent'),
      true,
    )
  })

  test('calls an operation stricter whose query options are fewer', () => {
    const { listMachines } = operations
    const line = compareOperations({ listMachines: { ...listMachines, query: [] } }).find(
      ({ path }) => path === '/api/machines',
    )
    assert.equal(line?.stand, 'stricter')
    assert.match(line?.note ?? '', /`\$filter`/)
  })
})
