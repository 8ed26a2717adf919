/** What a private CA vouches for, and how long; looked at by Node's own X.509. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Certificates } from './certificates.ts'
import { openPrivateCa } from './private-ca.ts'

const day = 24 * 60 * 60_000
const start = new Date('2026-02-03T04:05:06Z')
const after = (days: number): Date => new Date(start.getTime() + days * day)
const names = ['countermand.example', '127.0.0.1', '::1', 'api.securitycenter.microsoft.com']

let folder: string
let opened: Certificates
const open = (now = start, of: readonly string[] = names): Promise<Certificates> =>
  openPrivateCa({ kept: join(folder, 'keys/ca.key'), shown: join(folder, 'ca.pem'), names: of }, now)
const read = (name: string): string => readFileSync(join(folder, name), 'utf8')
const modeOf = (name: string): number => statSync(join(folder, name)).mode & 0o777

const shown = (): X509Certificate => new X509Certificate(opened.first.cert)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countermand-ca-'))
  opened = await open()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the CA', () => {
  test('vouches for nothing below what it vouches for itself, and is good for twenty years', () => {
    const ca = new X509Certificate(read('ca.pem'))
    assert.equal(ca.ca, true)
    assert.equal(ca.verify(ca.publicKey), true)
    assert.equal(ca.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
    assert.deepEqual(
      [ca.validFromDate, ca.validToDate],
      [new Date('2026-02-02T04:05:06Z'), new Date('2046-01-29T04:05:06Z')],
    )
  })

  test('has its key in a file for its owner, and its certificate without it in one for everybody', () => {
    assert.match(read('keys/ca.key'), /BEGIN CERTIFICATE[\s\S]*BEGIN PRIVATE KEY/)
    assert.doesNotMatch(read('ca.pem'), /PRIVATE/)
    assert.deepEqual([modeOf('keys/ca.key'), modeOf('keys'), modeOf('ca.pem')], [0o600, 0o700, 0o644])
  })

  test('is what devices are told', () => {
    assert.equal(opened.ca, new X509Certificate(read('ca.pem')).raw.toString('base64'))
  })

  test('is made once: another start vouches by the same, and puts the public file back', async () => {
    const before = read('ca.pem')
    rmSync(join(folder, 'ca.pem'))
    const again = await open(after(1))
    assert.equal(again.ca, opened.ca)
    assert.equal(read('ca.pem'), before)
    assert.notEqual(again.first.cert, opened.first.cert)
  })
})

describe('what it vouches for', () => {
  test('is by this CA, is none itself, and is for servers', () => {
    const ca = new X509Certificate(read('ca.pem'))
    assert.equal(shown().checkIssued(ca) && shown().verify(ca.publicKey), true)
    assert.equal(shown().ca, false)
    assert.deepEqual(shown().keyUsage, ['1.3.6.1.5.5.7.3.1'])
  })

  test('is for each of the names, and for no other', () => {
    assert.ok(shown().checkHost('countermand.example'))
    assert.ok(shown().checkHost('api.securitycenter.microsoft.com'))
    assert.ok(shown().checkIP('127.0.0.1'))
    assert.ok(shown().checkIP('::1'))
    assert.equal(shown().checkHost('securitycenter.microsoft.com'), undefined)
    assert.equal(shown().checkHost('x.countermand.example'), undefined)
    assert.equal(shown().checkIP('127.0.0.2'), undefined)
  })

  test('is for other names after a start with others', async () => {
    const other = new X509Certificate((await open(start, ['elsewhere.example'])).first.cert)
    assert.ok(other.checkHost('elsewhere.example'))
    assert.equal(other.checkHost('countermand.example'), undefined)
  })

  test('is good for 90 days, from a day before', () => {
    assert.deepEqual(
      [shown().validFromDate, shown().validToDate],
      [new Date('2026-02-02T04:05:06Z'), new Date('2026-05-04T04:05:06Z')],
    )
  })

  test('is another one when a third of its time is left, and then again', async () => {
    const running = await open()
    assert.equal(await running.next(after(1)), null)
    assert.equal(await running.next(after(59)), null)
    const second = await running.next(after(60))
    assert.ok(second !== null)
    assert.deepEqual(new X509Certificate(second.cert).validToDate, after(150))
    assert.equal(await running.next(after(119)), null)
    assert.ok((await running.next(after(120))) !== null)
  })
})
