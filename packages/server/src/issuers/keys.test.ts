/** An issuer's keys come and go, and so does the issuer. */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SignJWT, importJWK, type JWK } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, test } from 'vitest'
import { makeKey, openProvider, resource, type TestProvider } from '../testing/provider.ts'
import { checkDialect, checkError } from '../testing/scenarios.ts'
import { hour, minute, type Answer, type TestServer } from '../testing/server.ts'
import { openTrusting } from '../testing/trusting.ts'

const second = 1_000

let [one, two]: readonly JWK[] = []
let provider: TestProvider
/** By a test; the next one finds it as it was. */
let isChanged = false
beforeAll(async () => {
  ;[one, two] = [await makeKey('one'), await makeKey('two')]
  provider = await openProvider([one])
})
afterAll(() => provider.stop())

/** Stands before the provider's keys: passes on, keeps silent or is gone, and counts. */
interface Front {
  readonly url: string
  asked: number
  does: 'pass on' | 'answer 500' | 'say nothing'
  readonly server: Server
}
async function openFront(): Promise<Front> {
  const server = createServer((_request, response) => {
    front.asked++
    if (front.does === 'say nothing') return
    if (front.does === 'answer 500') return void response.writeHead(500).end()
    void fetch(`${provider.issuer}/jwks`).then(
      async (answer) => response.writeHead(answer.status).end(await answer.text()),
      () => response.destroy(),
    )
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
  const front: Front = { url, asked: 0, does: 'pass on', server }
  return front
}

let front: Front
let server: TestServer
beforeEach(async () => {
  if (isChanged) await restartWith(one)
  isChanged = false
  front = await openFront()
  server = await openTrusting({
    contoso: { issuer: provider.issuer, audience: [resource], jwksUri: front.url },
  })
})
afterEach(async () => {
  await server.close()
  front.server.closeAllConnections()
  front.server.close()
})

const ask = (token: string): Promise<Answer> => server.ask({ method: 'GET', path: '/api/machines', token })
const statusOf = async (token: string): Promise<number> => (await ask(token)).status
const newToken = (): Promise<string> => provider.appToken({ claims: { roles: ['Machine.Read.All'] } })

async function restartWith(...keys: readonly (JWK | undefined)[]): Promise<void> {
  isChanged = true
  await provider.stop()
  await provider.start(keys.filter((key) => key !== undefined))
}

/** Two hours from now on, signed by any key under any id. */
async function forged(key: JWK | undefined, kid: string): Promise<string> {
  assert.ok(key !== undefined)
  const claims = {
    iss: provider.issuer,
    aud: resource,
    sub: 'x',
    client_id: 'x',
    roles: ['Machine.Read.All'],
    exp: Math.floor(server.clock.now.getTime() / 1_000) + 7_200,
  }
  const token = new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid })
  return token.sign(await importJWK(key, 'RS256'))
}
const madeUp = (kid: string): Promise<string> => forged(two, kid)
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function checkSilent(answer: Answer, retryAfter: string): void {
  assert.equal(answer.status, 503, answer.text)
  checkDialect(answer)
  checkError(
    answer,
    'ServiceUnavailable',
    `The token cannot be checked: its issuer ${provider.issuer} does not answer.`,
  )
  assert.equal(answer.headers['retry-after'], retryAfter)
}

describe('the issuer’s key is rotated', () => {
  test('and the new one counts without a restart, the old one for as long as it is published', async () => {
    const old = await newToken()
    assert.equal(await statusOf(old), 200)
    await restartWith(two, one)
    server.clock.pass(31 * second)
    const young = await newToken()
    assert.equal(await statusOf(young), 200)
    assert.equal(await statusOf(old), 200)
    assert.equal(front.asked, 2)
  })

  test('and the old one, withdrawn, counts for ten minutes at the most', async () => {
    const old = await newToken()
    assert.equal(await statusOf(old), 200)
    await restartWith(two)
    server.clock.pass(9 * minute)
    assert.equal(await statusOf(old), 200)
    server.clock.pass(60 * second)
    assert.equal(await statusOf(await newToken()), 200)
    assert.equal(await statusOf(old), 401)
  })

  test('and the old one ends at once where a token by the new one has come', async () => {
    const old = await newToken()
    assert.equal(await statusOf(old), 200)
    await restartWith(two)
    server.clock.pass(31 * second)
    assert.equal(await statusOf(await newToken()), 200)
    assert.equal(await statusOf(old), 401)
  })
})

describe('the issuer cannot be reached', () => {
  test.each(['answer 500', 'say nothing'] as const)(
    'before it was ever asked (%s): 503, until it can',
    async (does) => {
      const token = await newToken()
      front.does = does
      checkSilent(await ask(token), '10')
      front.does = 'pass on'
      server.clock.pass(4 * second)
      checkSilent(await ask(token), '6')
      assert.equal(front.asked, 1)
      server.clock.pass(6 * second)
      assert.equal(await statusOf(token), 200)
    },
  )

  test('when it is gone, known keys go on for a day, and unknown ones are 503', async () => {
    const token = await newToken()
    assert.equal(await statusOf(token), 200)
    isChanged = true
    await provider.stop()
    server.clock.pass(9 * minute)
    assert.equal(await statusOf(token), 200)
    checkSilent(await ask(await madeUp('new')), '10')
    server.clock.pass(23 * hour)
    const late = await forged(one, 'one')
    assert.equal(await statusOf(late), 200)
    server.clock.pass(51 * minute)
    checkSilent(await ask(late), '10')
  })

  test('our own tokens need nobody', async () => {
    front.does = 'say nothing'
    assert.equal(await statusOf(await server.token('Machine.Read.All')), 200)
    assert.equal(front.asked, 0)
  })
})

describe('nobody can make this server a burden to the issuer', () => {
  test('many tokens at once are one question', async () => {
    const tokens = await Promise.all([newToken(), newToken(), newToken()])
    const seen = await Promise.all([...tokens, ...tokens, ...tokens].map(statusOf))
    assert.deepEqual(new Set(seen), new Set([200]))
    assert.equal(front.asked, 1)
  })

  test('made-up key ids are one question in half a minute, and 401', async () => {
    assert.equal(await statusOf(await newToken()), 200)
    server.clock.pass(31 * second)
    const ids = Array.from({ length: 30 }, (_, n) => `made-up-${n}`)
    const tokens = await Promise.all(ids.map(madeUp))
    const seen = await Promise.all(tokens.map(statusOf))
    assert.deepEqual(new Set(seen), new Set([401]))
    assert.equal(front.asked, 2)
    server.clock.pass(29 * second)
    assert.equal(await statusOf(await madeUp('another')), 401)
    assert.equal(front.asked, 2)
  })

  test('while it does not answer, one in ten seconds', async () => {
    front.does = 'answer 500'
    const tokens = await Promise.all(['a', 'b', 'c', 'd'].map(madeUp))
    const seen = await Promise.all(tokens.map(statusOf))
    assert.deepEqual(new Set(seen), new Set([503]))
    server.clock.pass(9 * second)
    assert.equal(await statusOf(tokens[0] ?? ''), 503)
    assert.equal(front.asked, 1)
  })

  test('tokens that no key could have signed, or of an issuer that is not trusted, ask nobody', async () => {
    const [, claims = ''] = (await newToken()).split('.')
    const foreign = part({ iss: front.url, aud: resource, exp: 9_999_999_999, sub: 'x' })
    for (const token of [
      `${part({ alg: 'none' })}.${claims}.`,
      `${part({ alg: 'HS256', kid: 'one' })}.${claims}.AAAA`,
      `${part({ alg: 'RS256', kid: 'one' })}.${foreign}.AAAA`,
      claims,
    ])
      assert.equal(await statusOf(token), 401)
    assert.equal(front.asked, 0)
  })
})

describe('where the keys are is asked of the issuer', () => {
  test.each([
    ['of another issuer', (issuer: string) => ({ issuer: `${issuer}/other`, jwks_uri: front.url })],
    [
      'that leads out of this host without TLS',
      (issuer: string) => ({ issuer, jwks_uri: 'http://192.0.2.1/keys' }),
    ],
    ['that leads nowhere', (issuer: string) => ({ issuer })],
  ])('whose document, %s, is not believed: 503, and the log says why', async (_, documentOf) => {
    const lines: string[] = []
    const document = createServer((_request, response) => {
      response.end(JSON.stringify(documentOf(issuer)))
    })
    await once(document.listen(0, '127.0.0.1'), 'listening')
    const issuer = `http://127.0.0.1:${(document.address() as AddressInfo).port}`
    const logTo = { write: (line: string) => void lines.push(line) }
    const trusting = await openTrusting({ contoso: { issuer, audience: [resource] } }, { logTo })
    assert.ok(one !== undefined)
    const claims = { iss: issuer, aud: resource, sub: 'x', client_id: 'x', exp: 9_999_999_999 }
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .sign(await importJWK(one, 'RS256'))
    const answer = await trusting.ask({ method: 'GET', path: '/api/machines', token })
    await trusting.close()
    document.close()
    assert.equal(answer.status, 503, answer.text)
    assert.equal(front.asked, 0)
    const said = lines.filter((line) => line.includes('keys cannot be had'))
    assert.equal(said.length, 1)
    assert.match(said[0] ?? '', new RegExp(issuer))
  })
})
