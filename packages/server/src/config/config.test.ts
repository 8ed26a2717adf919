import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { ConfigError, readConfig, usage, type Config } from './index.ts'

const minutes = (count: number): number => count * 60_000
const read = (...args: readonly string[]): Config => readConfig(args, {}, true)

describe('a flag that is wrong is a sentence that names it', () => {
  test.each([
    ['--sessions', '0', /--sessions takes a number from 1 to 9999, or "-"/],
    ['--sessions', '1.5', /--sessions/],
    ['--sessions', '10000', /--sessions/],
    ['--sessions', 'all', /--sessions/],
    ['--put-limit', '10M', /--put-limit takes a whole number/],
    ['--put-limit', '-1', /--put-limit/],
    [
      '--run-limits',
      'RunScript=10',
      /TYPE one of LiveResponse, .*CollectInvestigationPackage.*PutFile, GetFile/,
    ],
    ['--run-limits', 'GetFile=0', /--run-limits/],
    ['--limits', 'packages=1/1', /CLASS one of .*package/],
    ['--metrics', 'everybody', /--metrics takes one of open, token, off/],
    ['--otlp-endpoint', 'localhost:4318', /--otlp-endpoint takes an address/],
  ])('%s %s', (name, value, says) => {
    assert.throws(
      () => read(`${name}=${value}`),
      (thrown) => thrown instanceof ConfigError && says.test(thrown.message),
    )
  })
})

describe('what a live response and a package may take', () => {
  test('is as the reference has it where nobody says anything', () => {
    const { putLimit, sessions, runLimitsMs, limits } = read()
    assert.deepEqual({ putLimit, sessions }, { putLimit: 10 * 1024 * 1024, sessions: 25 })
    assert.deepEqual(runLimitsMs, {
      LiveResponse: minutes(10),
      CollectInvestigationPackage: minutes(60),
      RunAntiVirusScan: minutes(24 * 60),
      StopAndQuarantineFile: minutes(60),
      Isolate: minutes(5),
      Unisolate: minutes(5),
      RestrictCodeExecution: minutes(5),
      UnrestrictCodeExecution: minutes(5),
      Offboard: minutes(5),
      PutFile: minutes(30),
      GetFile: minutes(30),
    })
    assert.deepEqual(limits.package, { perMinute: 2, perHour: 120 })
  })

  test('is said by flags', () => {
    const flags = ['--sessions', '3', '--put-limit', '17', '--limits', 'package=-/9']
    const given = read(...flags, '--run-limits', 'GetFile=7,CollectInvestigationPackage=8,PutFile=9')
    const { PutFile, GetFile, CollectInvestigationPackage, LiveResponse } = given.runLimitsMs
    assert.deepEqual([given.sessions, given.putLimit], [3, 17])
    assert.deepEqual([PutFile, GetFile, CollectInvestigationPackage], [9_000, 7_000, 8_000])
    assert.equal(LiveResponse, minutes(10))
    assert.deepEqual(given.limits.package, { perMinute: null, perHour: 9 })
  })

  test('is said by the environment; "-" lifts the number of sessions', () => {
    const env = { COUNTERMAND_SESSIONS: '-', COUNTERMAND_PUT_LIMIT: '18' }
    const { sessions, putLimit } = readConfig([], env, true)
    assert.deepEqual([sessions, putLimit], [null, 18])
  })

  test('stands in the usage', () => {
    for (const word of ['--sessions N', 'COUNTERMAND_SESSIONS', '--put-limit BYTES', 'COUNTERMAND_PUT_LIMIT'])
      assert.ok(usage.includes(word), word)
    assert.match(usage, /types: .*CollectInvestigationPackage.*PutFile, GetFile/)
  })
})

describe('/metrics without a token', () => {
  test.each([
    ['open', []],
    ['open', ['--listen', 'localhost:8600']],
    ['open', ['--listen', '[::1]:8600']],
    ['token', ['--listen', '0.0.0.0:8600']],
    ['token', ['--listen', '192.0.2.17:8600']],
    ['token', ['--listen', '127.example.org:8600']],
    ['token', ['--public-url', 'https://countermand.example']],
    ['open', ['--listen', '0.0.0.0:8600', '--metrics', 'open']],
    ['off', ['--metrics', 'off']],
  ])('is %s with %j', (access, flags) => assert.equal(read(...flags).metrics, access))
})

test('traces go to the endpoint that every program is told, or that this one is', () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' }
  assert.equal(read().otlpEndpoint, null)
  assert.equal(readConfig([], env, true).otlpEndpoint, 'http://collector:4318')
  assert.equal(
    readConfig(['--otlp-endpoint', 'https://other.example/otlp'], env, true).otlpEndpoint,
    'https://other.example/otlp',
  )
})
