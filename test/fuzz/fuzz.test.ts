/** A few thousand of the requests of `npm run fuzz`, and whether the judge sees what is wrong. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { faultsOf, type Got } from './judge.ts'
import { runFuzz } from './fuzz.ts'
import { slopeFault } from './limit.ts'
import type { Sent } from './requests.ts'

const seed = Number(process.env.COUNTERMAND_FUZZ_SEED ?? 1)
const count = Number(process.env.COUNTERMAND_FUZZ_COUNT ?? 4_000)

test(`${count} requests of seed ${seed} by chance: no answer is a fault, tells secrets or lacks the envelope`, async () => {
  const { faults, statuses, done, slope } = await runFuzz(seed, count)
  assert.deepEqual(faults, [])
  for (const status of [200, 400, 401, 403, 404]) assert.ok(statuses.has(status), `none is ${status}`)
  if (count >= 4_000) assert.ok(done.size >= 15, `most that can be is done: ${[...done].join(', ')}`)
  assert.equal(slopeFault(count, slope), null)
})

const sent: Sent = {
  method: 'GET',
  path: '/x',
  headers: {},
  body: Buffer.alloc(0),
  operation: null,
  token: '',
}
const id = '11111111-1111-4111-8111-111111111111'
const right: Got = {
  status: 404,
  headers: { 'request-id': id, 'content-type': 'application/json; charset=utf-8' },
  text: JSON.stringify({ error: { code: 'NotFound', message: 'x', target: id } }),
}

describe('the judge', () => {
  test('has nothing against an answer that is right', () => {
    assert.deepEqual(faultsOf(sent, right, ['secret of somebody']), [])
  })

  test.each<readonly [string, Partial<Got>, string]>([
    ['a fault', { status: 500 }, 'is 500'],
    ['no JSON', { headers: { 'request-id': id } }, 'is an error that is no JSON'],
    ['another shape', { text: '{"message":"x"}' }, 'is an error without the envelope'],
    ['HTML', { text: '<html>' }, 'is an error without the envelope'],
    ['another target', { text: right.text.replace(id, id.replace('1', '2')) }, 'has another target'],
    ['no code', { text: right.text.replace('NotFound', '') }, 'is an error without a code'],
    ['a stack', { text: right.text.replace('"x"', '"x\\n    at f (/a/b.ts:1:2)"') }, 'shows its insides'],
    ['a secret', { text: right.text.replace('"x"', '"secret of somebody"') }, 'shows a secret'],
    ['no id', { headers: { 'content-type': 'application/json' } }, 'has no request id'],
  ])('sees %s', (_, wrong, fault) => {
    assert.deepEqual(faultsOf(sent, { ...right, ...wrong }, ['secret of somebody']), [fault])
  })

  test('sees a heap that grows, where there was enough of it', () => {
    assert.equal(slopeFault(200_000, 10), null)
    assert.match(slopeFault(200_000, 500) ?? '', /500/)
    assert.equal(slopeFault(2_000, 500), null)
  })
})
