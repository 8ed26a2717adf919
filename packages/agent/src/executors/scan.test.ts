import assert from 'node:assert/strict'
import { test } from 'vitest'
import { findingsIn, isThrough } from './scan.ts'

test('each line that says FOUND is a finding, whatever signs are in its path', () => {
  const output = [
    '/tmp/eicar.com: Eicar-Test-Signature FOUND',
    '/tmp/a: b FOUND c.txt: Win.Test.EICAR_HDB-1 FOUND',
    '/home/zoë/№ 1.bin: X.UNOFFICIAL FOUND',
    '/tmp/quiet: OK',
    'LibClamAV Warning: something FOUND out',
    '',
  ].join('\n')
  assert.deepEqual(findingsIn(output), {
    findings: [
      { path: '/tmp/eicar.com', signature: 'Eicar-Test-Signature' },
      { path: '/tmp/a: b FOUND c.txt', signature: 'Win.Test.EICAR_HDB-1' },
      { path: '/home/zoë/№ 1.bin', signature: 'X.UNOFFICIAL' },
    ],
    leftOut: 0,
  })
})

test('a scan is done when it went through, also past what could not be read, and not when it never began or was killed', () => {
  const past = '\n----------- SCAN SUMMARY -----------\nKnown viruses: 1\nEngine version: 1.4.6\n'
  const unarmed = past.replace('viruses: 1', 'viruses: 0')
  assert.deepEqual(
    [
      isThrough(0, ''),
      isThrough(1, ''),
      isThrough(2, past),
      isThrough(2, ''),
      isThrough(2, unarmed),
      isThrough(137, past),
      isThrough(null, past),
    ],
    [true, true, true, false, false, false, false],
  )
})

test('two hundred findings are listed, the rest is counted', () => {
  const output = Array.from({ length: 207 }, (_, n) => `/tmp/${n}: X FOUND\n`).join('')
  const { findings, leftOut } = findingsIn(output)
  assert.deepEqual([findings.length, findings.at(-1)?.path, leftOut], [200, '/tmp/199', 7])
})
