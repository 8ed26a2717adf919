/** Which hosts let themselves be contained. */
import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { describe, test } from 'vitest'
import { isThisHost } from '../host/own-address.ts'
import type { Obstacle } from '../host/execution/types.ts'
import { FakeExecution } from '../testing/execution.ts'
import { FakeFirewall } from '../testing/firewall.ts'
import { openContainment, whyNot, type ContainmentParts } from './containment.ts'

const own = (what: string) => ({
  able: false,
  why: 'switched_off',
  detail: `this host runs the control server; start with --allow-containment to let ${what}`,
})
const allOwn = {
  isolation: own('it be isolated'),
  restriction: own('it be restricted'),
  offboarding: own('it be offboarded'),
  quarantine: own('files of it be quarantined'),
}
const able = { able: true }
const allAble = { isolation: able, restriction: able, offboarding: able, quarantine: able }

interface Lacking {
  readonly tool?: string
  readonly obstacle?: Obstacle
}

function containment(given: Partial<ContainmentParts> = {}, { tool, obstacle }: Lacking = {}) {
  const [firewall, execution] = [new FakeFirewall(), new FakeExecution()]
  firewall.missing = tool ?? null
  execution.inTheWay = obstacle ?? null
  const host = { firewall, execution, isThisHost }
  return openContainment({ host, allowContainment: false, tied: false, ...given })
}

test('one that lacks the tool of an isolation says what installs it, and can be restricted, and offboarded', async () => {
  const tool = 'apt-get install nftables'
  const { isolation, restriction, offboarding } = await containment({}, { tool })('http://192.0.2.1')
  assert.deepEqual(isolation, { able: false, why: 'missing_tool', detail: tool })
  assert.equal(whyNot(isolation), tool)
  assert.deepEqual([restriction, offboarding], [able, able])
})

test.each([
  { why: 'missing_tool', detail: 'apt-get install fapolicyd' },
  { why: 'in_use', detail: 'this host runs a fapolicyd of its own' },
] as const)(
  'one that cannot be restricted ($why) says why, whatever else, and can be isolated',
  async (obstacle) => {
    const found = await containment({ allowContainment: true }, { obstacle })('http://192.0.2.1')
    assert.deepEqual(found, { ...allAble, restriction: { able: false, ...obstacle } })
  },
)

const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
const ownAddress =
  addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1'

describe.each(['http://127.0.0.1:8080', 'http://localhost', 'https://[::1]:8443', `http://${ownAddress}`])(
  'the host of the server, %s,',
  (server) => {
    test('refuses all', async () => assert.deepEqual(await containment()(server), allOwn))
    test('does not where it was told to let it be', async () =>
      assert.deepEqual(await containment({ allowContainment: true })(server), allAble))
  },
)

test.each(['http://192.0.2.1', 'http://control.invalid', null])(
  'another host than the server’s, %s, can',
  async (server) => {
    assert.deepEqual(await containment()(server), allAble)
    assert.equal(whyNot({ able: true }), null)
  },
)

test('an agent that goes with the server refuses, wherever it finds the server', async () => {
  assert.deepEqual(await containment({ tied: true })('http://192.0.2.1'), allOwn)
})
