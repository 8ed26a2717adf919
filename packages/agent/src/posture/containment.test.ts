/** Which hosts let themselves be isolated. */
import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { describe, test } from 'vitest'
import { isThisHost } from '../host/own-address.ts'
import { FakeFirewall } from '../testing/firewall.ts'
import { openContainment, openOffboarding, whyNot, type ContainmentParts } from './containment.ts'

const ownWords = 'this host runs the control server; start with --allow-containment to let it be isolated'
const own = { able: false, why: 'switched_off', detail: ownWords }

function containment(given: Partial<ContainmentParts> = {}, missing: string | null = null) {
  const firewall = new FakeFirewall()
  firewall.missing = missing
  const host = { firewall, isThisHost }
  return openContainment({ host, allowContainment: false, tied: false, ...given })
}

test('one that lacks the tool says what installs it, whatever else', async () => {
  const missing = 'apt-get install nftables'
  const capability = await containment({ allowContainment: true }, missing)('http://192.0.2.1')
  assert.deepEqual(capability, { able: false, why: 'missing_tool', detail: missing })
  assert.equal(whyNot(capability), missing)
})

const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
const ownAddress =
  addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1'

describe.each(['http://127.0.0.1:8080', 'http://localhost', 'https://[::1]:8443', `http://${ownAddress}`])(
  'the host of the server, %s,',
  (server) => {
    test('refuses', async () => assert.deepEqual(await containment()(server), own))
    test('does not where it was told to let it be', async () =>
      assert.deepEqual(await containment({ allowContainment: true })(server), { able: true }))
  },
)

test.each(['http://192.0.2.1', 'http://control.invalid', null])(
  'another host than the server’s, %s, can',
  async (server) => {
    assert.deepEqual(await containment()(server), { able: true })
    assert.equal(whyNot({ able: true }), null)
  },
)

test('the host of the server is not offboarded either, unless it was told to let it be; others need no tool for it', async () => {
  const firewall = new FakeFirewall()
  firewall.missing = 'apt-get install nftables'
  const parts = { host: { firewall, isThisHost }, allowContainment: false, tied: false }
  const detail = ownWords.replace('isolated', 'offboarded')
  const refusal = { able: false, why: 'switched_off', detail }
  assert.deepEqual(await openOffboarding(parts)('http://127.0.0.1:8080'), refusal)
  assert.deepEqual(await openOffboarding({ ...parts, tied: true })('http://192.0.2.1'), refusal)
  assert.deepEqual(await openOffboarding({ ...parts, tied: true, allowContainment: true })(null), {
    able: true,
  })
  assert.deepEqual(await openOffboarding(parts)('http://192.0.2.1'), { able: true })
})

test('an agent that goes with the server refuses, wherever it finds the server', async () => {
  assert.deepEqual(await containment({ tied: true })('http://192.0.2.1'), own)
})
