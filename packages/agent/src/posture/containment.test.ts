/** Which hosts let themselves be isolated. */
import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { describe, test } from 'vitest'
import { isThisHost } from '../host/own-address.ts'
import { FakeFirewall } from '../testing/firewall.ts'
import { openContainment, openSparing, whyNot, type ContainmentParts } from './containment.ts'

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

test('an agent that goes with the server refuses, wherever it finds the server', async () => {
  assert.deepEqual(await containment({ tied: true })('http://192.0.2.1'), own)
})

test('what needs no tool is refused on the host of the server all the same, and nowhere else', async () => {
  const host = { isThisHost: (name: string) => Promise.resolve(name === 'here.example') }
  const sparing = (allowContainment: boolean) =>
    openSparing({ host, allowContainment, tied: false }, 'files of it be taken away')
  const capability = await sparing(false)('https://here.example')
  assert.match(whyNot(capability) ?? '', /--allow-containment to let files of it be taken away$/)
  assert.deepEqual(await sparing(true)('https://here.example'), { able: true })
  assert.deepEqual(await sparing(false)('https://there.example'), { able: true })
})
