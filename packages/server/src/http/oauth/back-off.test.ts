/** Who has failed to sign in waits; the owner of the secret, who asks from elsewhere, does not. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, beforeEach, describe, test } from 'vitest'
import { memorySignIns, mostKept } from '../../counters/sign-ins.ts'
import {
  impatient,
  minute,
  openServer,
  unlimited,
  type Answer,
  type Client,
  type TestServer,
} from '../../testing/server.ts'

const lines: string[] = []
let server: TestServer
let client: Client
beforeAll(async () => {
  const flags = [...unlimited, ...impatient, '--trusted-proxies', '127.0.0.1']
  server = await openServer({ flags, logTo: { write: (line) => void lines.push(line) } })
  client = await server.client(['Machine.Read.All'], 'a playbook')
})
afterAll(() => server.close())
/** What has failed before is forgotten. */
beforeEach(() => {
  server.clock.pass(15 * minute)
  lines.splice(0)
})

const attacker = '198.51.100.7'
const owner = '192.0.2.17'

interface Attempt {
  readonly secret?: string
  readonly id?: string
  readonly from?: string
}
const attempt = ({ secret = 'wrong', id = client.id, from = attacker }: Attempt = {}): Promise<Answer> => {
  const fields = { grant_type: 'client_credentials', client_id: id, client_secret: secret }
  return server.ask({
    method: 'POST',
    path: `/${server.app.identity.tenantId}/oauth2/v2.0/token`,
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-forwarded-for': from },
    body: new URLSearchParams({
      ...fields,
      scope: 'https://api.securitycenter.microsoft.com/.default',
    }).toString(),
  })
}
async function fail(times: number, how: Attempt = {}): Promise<void> {
  for (let done = 0; done < times; done += 1) assert.equal((await attempt(how)).status, 401)
}
/** Seconds to wait, in RFC 6749's form. */
function waits(answer: Answer): number {
  assert.equal(answer.status, 429, answer.text)
  const body = answer.body as Record<string, unknown>
  assert.equal(body.error, 'temporarily_unavailable')
  assert.match(String(body.error_description), /^AADSTS50196: .*seconds to wait: \d+$/)
  assert.match(answer.headers['retry-after'] ?? '', /^[1-9]\d*$/)
  return Number(answer.headers['retry-after'])
}

describe('failed attempts', () => {
  test('cost nothing four times; then the wait doubles, up to five minutes', async () => {
    await fail(5)
    for (const seconds of [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]) {
      assert.equal(waits(await attempt()), seconds)
      server.clock.pass(seconds * 1000 - 1)
      assert.equal(waits(await attempt()), 1)
      server.clock.pass(1)
      await fail(1)
    }
  })

  test('that are refused for the wait are not looked at, and make it no longer', async () => {
    await fail(5)
    for (let done = 0; done < 20; done += 1) waits(await attempt())
    assert.equal(
      waits(await attempt({ secret: client.secret })),
      1,
      'a right guess is not told from a wrong one',
    )
    server.clock.pass(1_000)
    assert.equal((await attempt({ secret: client.secret })).status, 200)
    await fail(4)
    assert.equal((await attempt()).status, 401, 'the success has wiped them out')
  })

  test('do not keep the owner out, who asks from another address', async () => {
    await fail(5)
    waits(await attempt())
    assert.equal((await attempt({ secret: client.secret, from: owner })).status, 200)
    waits(await attempt())
  })

  test('do not keep another client out, from the same address', async () => {
    const other = await server.client(['Machine.Read.All'])
    await fail(5)
    waits(await attempt())
    assert.equal((await attempt({ id: other.id, secret: other.secret })).status, 200)
  })

  test('of many clients from one address wait when there were 60 in a minute', async () => {
    for (let at = 0; at < 60; at += 1)
      await fail(1, { id: `00000000-0000-4000-8000-0000000000${String(at).padStart(2, '0')}` })
    assert.equal(waits(await attempt()), 60)
    assert.equal((await attempt({ secret: client.secret, from: owner })).status, 200)
    server.clock.pass(minute)
    await fail(1)
  })

  test('are counted for a client that there is not like for one that there is', async () => {
    const id = '00000000-0000-4000-8000-000000000000'
    await fail(5, { id })
    assert.equal(waits(await attempt({ id })), 1)
  })

  test('are counted for a network of 64 bits of IPv6', async () => {
    await fail(3, { from: '2001:db8::1' })
    await fail(2, { from: '2001:db8::2' })
    assert.equal(waits(await attempt({ from: '2001:db8::3' })), 1)
    assert.equal((await attempt({ from: '2001:db8:0:1::1' })).status, 401)
  })

  test('are no rows, and lines of the log with client and address, and without the secret', async () => {
    const last = server.history.last()
    await fail(5, { secret: 'planted-secret' })
    waits(await attempt({ secret: 'planted-secret' }))
    await attempt({ id: 'planted-secret' })
    assert.equal(server.history.last(), last)
    const found = lines
      .map((line): Record<string, unknown> => JSON.parse(line))
      .filter(({ msg }) => msg === 'sign-in refused')
      .map((line) => [line.level, line.refused, line.client, line.address])
    const wrong = [40, 'wrong_client', client.id, attacker]
    assert.deepEqual(found.slice(0, 6), [
      ...Array.from({ length: 5 }, () => wrong),
      [40, 'too_many_failures', client.id, attacker],
    ])
    assert.equal(found[6]?.[2], undefined, 'what is no client id may be anything')
    assert.ok(!lines.join('').includes('planted-secret'))
  })
})

test('no more than 10,000 of them are kept, and what failed longest ago is forgotten first', () => {
  const signIns = memorySignIns()
  const { now } = server.clock
  for (let done = 0; done < 5; done += 1) signIns.failed('first', '192.0.2.1', now)
  assert.equal(signIns.waitMs('first', '192.0.2.1', now), 1_000)
  for (let at = 0; at < mostKept; at += 1) signIns.failed(`client ${at}`, `10.0.${at >> 8}.${at & 255}`, now)
  assert.equal(signIns.waitMs('first', '192.0.2.1', now), 0)
})
