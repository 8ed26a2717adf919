import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
import { bootId, bootSeconds } from './clock.ts'
import { distributionVersion, readFacts } from './facts.ts'

test.skipIf(process.platform !== 'linux')('a device says what it is in the words of the reference', () => {
  const facts = readFacts()
  expect(facts).toMatchObject({ osPlatform: 'Linux', osBuild: null, bootId: bootId() })
  expect(facts.osArchitecture).toMatch(/^(64|32)-bit$/)
  expect(readFacts(), 'and says the same twice').toEqual(facts)
})

test('addresses are complete but for loopback, and written as on the wire', () => {
  const outward = Object.values(networkInterfaces())
    .flat()
    .filter((found) => found && !found.internal)
  const { ipAddresses } = readFacts()
  const addresses = new Set(outward.map((found) => found?.address))
  expect(new Set(ipAddresses.map((found) => found.ipAddress))).toEqual(addresses)
  for (const { macAddress, operationalStatus } of ipAddresses) {
    expect(macAddress ?? '0123456789AB').toMatch(/^[0-9A-F]{12}$/)
    expect(operationalStatus).toBe('Up')
  }
})

test.each([
  ['NAME="Debian"\nVERSION_ID="12"\nVERSION="12 (bookworm)"\n', '12'],
  ['VERSION_ID=22.04\n', '22.04'],
  [`VERSION_ID='9.4'`, '9.4'],
  ['NAME="Arch Linux"\nBUILD_ID=rolling\n', null],
  ['', null],
])('the version of %j', (text, version) => {
  expect(distributionVersion(text)).toBe(version)
})

test('the boot clock runs forward from the boot, and the boot has a name', () => {
  const before = bootSeconds()
  expect(before).toBeGreaterThan(0)
  expect(bootSeconds()).toBeGreaterThanOrEqual(before)
  if (process.platform === 'linux') {
    expect(bootId()).toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
  }
})
