import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, test } from 'vitest'
import { ConfigError, printConfig, readConfig, usage, type Config } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'countermand-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

const written = (text: string): readonly string[] => {
  writeFileSync(join(folder, 'countermand.yaml'), text)
  return ['--data', folder]
}
const read = (text: string, flags: readonly string[] = [], env = {}): Config =>
  readConfig([...written(text), ...flags], env, true)

const whole = `# what we have decided
listen: 127.0.0.1:9000
trustedProxies: [10.0.0.7, 'fd00::/8']
limits:
  cancel: 500/-
  isolate: 3/30
runLimits: { RunAntiVirusScan: 7200 }
sessions: '-'
cancelPermission: type
commentMandatory: true
plan: plan1
repeatedAction: open
graceSeconds: 5
quarantinePackaged: true
cancelLimitSeconds: 60
issuers:
  contoso:
    issuer: https://login.microsoftonline.com/a-tenant/v2.0
    audience: [api://countermand, another]
  keycloak:
    issuer: http://localhost:8080/realms/response
    audience: [countermand]
    jwksUri: http://localhost:8080/keys
`

describe('a configuration file', () => {
  test('in the data folder is read', () => {
    const { port, trustedProxies, limits, runLimitsMs, sessions, policies, issuers } = read(whole)
    assert.equal(port, 9_000)
    assert.deepEqual(trustedProxies, ['10.0.0.7', 'fd00::/8'])
    assert.deepEqual(limits.cancel, { perMinute: 500, perHour: null })
    assert.deepEqual(limits.isolate, { perMinute: 3, perHour: 30 })
    assert.deepEqual(limits.read, { perMinute: 100, perHour: 1_500 })
    assert.equal(runLimitsMs.RunAntiVirusScan, 7_200_000)
    assert.equal(sessions, null)
    assert.deepEqual(issuers, [
      {
        name: 'contoso',
        issuer: 'https://login.microsoftonline.com/a-tenant/v2.0',
        audience: ['api://countermand', 'another'],
        jwksUri: null,
      },
      {
        name: 'keycloak',
        issuer: 'http://localhost:8080/realms/response',
        audience: ['countermand'],
        jwksUri: 'http://localhost:8080/keys',
      },
    ])
    assert.deepEqual(policies, {
      cancelPermission: 'type',
      commentMandatory: true,
      plan: 'plan1',
      repeatedAction: 'open',
      graceMs: 5_000,
      quarantinePackaged: true,
      cancelLimitMs: 60_000,
    })
  })

  test('that is not there decides nothing, unless it is named', () => {
    const { policies } = readConfig(['--data', join(folder, 'none')], {}, true)
    assert.deepEqual(policies, {
      cancelPermission: 'any',
      commentMandatory: false,
      plan: 'plan2',
      repeatedAction: 'refuse',
      graceMs: 0,
      quarantinePackaged: false,
      cancelLimitMs: 3 * 24 * 3_600_000,
    })
    const named = (): Config => readConfig(['--config', join(folder, 'none.yaml')], {}, true)
    assert.throws(named, (thrown) => thrown instanceof ConfigError && /none\.yaml/.test(thrown.message))
  })

  test('gives way to the environment, and that to flags', () => {
    assert.equal(read('graceSeconds: 1', [], { COUNTERMAND_GRACE_SECONDS: '2' }).policies.graceMs, 2_000)
    const flags = ['--grace-seconds', '3']
    assert.equal(read('graceSeconds: 1', flags, { COUNTERMAND_GRACE_SECONDS: '2' }).policies.graceMs, 3_000)
  })

  test.each([
    ['listen: 127.0.0.1:9000\nsesions: 3\n', /^countermand\.yaml:2: .*sesions/],
    ['put-limit: 3\n', /^countermand\.yaml:1: .*put-limit.*putLimit/],
    ['# one\n# two\nsessions: 0\n', /^countermand\.yaml:3: .*sessions takes a number from 1/],
    ['limits:\n  cancel: 100/1500\n  cancle: 100/1500\n', /^countermand\.yaml:3: limits\.cancle/],
    ['limits:\n  read: 1/1\n  cancel: often\n', /^countermand\.yaml:3: limits\.cancel/],
    ['trustedProxies:\n  - 10.0.0.7\n  - the proxy\n', /^countermand\.yaml:3: trustedProxies\.1/],
    ['plan: plan1\nlisten: 127.0.0.1:70000\n', /^countermand\.yaml:2: listen: listen takes HOST:PORT/],
    ['publicUrl: https://[\n', /^countermand\.yaml:1: /],
    ['plan: plan1\npublicUrl: https://a b\n', /^countermand\.yaml:2: publicUrl: publicUrl takes/],
    ['trustedProxies:\n  - 10.0.0.0/33\n', /^countermand\.yaml:2: trustedProxies\.0/],
    ['trustedProxies:\n  - 10.0.0\n', /^countermand\.yaml:2: trustedProxies\.0/],
    ['plan: plan1\ndeviceAddresses: [192.0.2.7, a.example]\n', /^countermand\.yaml:2: deviceAddresses\.1/],
    ['isolationConfirm: never\n', /^countermand\.yaml:1: .*takes revert or keep/],
    ['isolationAllow:\n  - address: 192.0.2.0/33\n', /^countermand\.yaml:2: isolationAllow\.0/],
    ['isolationAllow:\n  - owner: nobody\n  - owner: no body\n', /^countermand\.yaml:3: isolationAllow\.1/],
    ['plan: plan3\n', /^countermand\.yaml:1: .*plan takes plan1 or plan2/],
    ['sessions: 3\ndata: /tmp\n', /^countermand\.yaml:2: data is a flag \(--data\)/],
    ['sessions: 3\nrestored: true\n', /^countermand\.yaml:2: restored/],
    ['sessions: 3\nplan: [\n', /^countermand\.yaml:[23]: /],
    ['issuers:\n  x:\n    audience: [a]\n', /^countermand\.yaml:2: issuers\.x.*takes NAME: \{ issuer/],
    [
      'issuers:\n  x:\n    issuer: https://a\n    audience: []\n',
      /^countermand\.yaml:4: issuers\.x\.audience/,
    ],
    [
      'issuers:\n  x:\n    issuer: http://a.example\n    audience: [a]\n',
      /^countermand\.yaml:3: issuers\.x\.issuer/,
    ],
    [
      'issuers:\n  x:\n    issuer: https://a?b\n    audience: [a]\n',
      /^countermand\.yaml:3: issuers\.x\.issuer/,
    ],
    ['issuers:\n  x:\n    issuer: https://a\n    audiences: [a]\n', /^countermand\.yaml:\d: issuers\.x/],
    [
      'issuers:\n  An Issuer: { issuer: https://a, audience: [a] }\n',
      /^countermand\.yaml:2: issuers\.An Issuer/,
    ],
    [
      'issuers:\n  x: { issuer: https://a, audience: [a] }\n  y: { issuer: https://a, audience: [b] }\n',
      /^issuers: x and y are the same issuer/,
    ],
    ['- sessions\n', /^countermand\.yaml:1: /],
    ['sessions: 3\nsessions: 4\n', /^countermand\.yaml:2: /],
  ])('%j names the line', (text, says) => {
    assert.throws(
      () => read(text),
      (thrown) => thrown instanceof ConfigError && says.test(thrown.message),
      String(says),
    )
  })
})

test('issuers stand in the file only: no flag names them, and no twin', () => {
  const flag = (): Config => read('', ['--issuers', '{}'])
  assert.throws(flag, (thrown) => thrown instanceof ConfigError && /--issuers/.test(thrown.message))
  assert.deepEqual(read('', [], { COUNTERMAND_ISSUERS: '{}' }).issuers, [])
  assert.ok(!usage.includes('issuers'))
})

describe('what is printed', () => {
  test('says who has set it, and can be used as the file', () => {
    const printed = printConfig([...written(whole), '--grace-seconds', '7'], { COUNTERMAND_SETTLE_MS: '9' })
    assert.match(printed, /^graceSeconds: 7 # --grace-seconds$/m)
    assert.match(printed, /^settleMs: 9 # COUNTERMAND_SETTLE_MS$/m)
    assert.match(printed, /^plan: plan1 # the file$/m)
    assert.match(printed, /^putLimit: 10485760 # default$/m)
    const before = read(whole, ['--grace-seconds', '7', '--settle-ms', '9'])
    assert.deepEqual(read(printed), before)
  })

  test('has no password in it', () => {
    const url = 'postgres://countermand:se%3Acret@db.example:5432/c'
    const printed = printConfig(['--data', folder, '--database-url', url], {})
    assert.match(
      printed,
      /^databaseUrl: postgres:\/\/countermand:\*\*\*@db\.example:5432\/c # --database-url$/m,
    )
    assert.ok(!printed.includes('cret'))
  })
})
