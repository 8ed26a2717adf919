/** What passes to and from a host that is isolated, and what does not: real packets between namespaces of the test's own. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Barrier } from '../../packages/agent/src/host/firewall/types.ts'
import { needs } from '../needs.ts'
import { at, openNetwork, openProbe, type Network, type Place } from './network.ts'

const isAble = (['root', 'nft', 'ip', 'unshare', 'nsenter', 'flock', 'ping'] as const).every(needs)

const serverPort = 8600
const otherPort = 9000
const barrier: Barrier = {
  generation: 1,
  server: { addresses: [at.server.v4, at.server.v6], port: serverPort },
  allow: [],
}
const both = ['v4', 'v6'] as const
const nobody = 65_534

const hostRules = (): string => execFileSync('nft', ['-s', 'list', 'ruleset'], { encoding: 'utf8' })

const say = (from: Place, as: string): Promise<unknown> => from.probe.ask({ do: 'say', as })
const pings = (from: Place, to: string): boolean => {
  try {
    from.space.run(`ping -c 1 -W 1 ${to}`)
    return true
  } catch {
    return false
  }
}

describe.skipIf(!isAble)('the traffic of a host', () => {
  const before = isAble ? hostRules() : ''
  const folder = mkdtempSync(join(tmpdir(), 'countermand-isolation-'))
  let net: Network

  beforeAll(async () => {
    net = await openNetwork()
    await net.host.probe.ask({ do: 'firewall', name: 'test', folder: join(folder, 'firewall') })
    for (const place of [net.host, net.world, net.container])
      for (const port of [serverPort, otherPort]) await place.probe.ask({ do: 'listen', port })
  })
  afterAll(async () => {
    await net?.close()
    rmSync(folder, { recursive: true })
    assert.equal(hostRules(), before, 'the rules of the machine that runs the tests have changed')
  })

  const apply = (wanted: Barrier | null): Promise<unknown> =>
    net.host.probe.ask({ do: 'apply', barrier: wanted })
  let count = 0
  /** Opens a connection; answers its name and how that went. */
  const open = async (from: Place, to: string, port: number): Promise<{ as: string; went: unknown }> => {
    const as = `${(count += 1)}`
    return { as, went: await from.probe.ask({ do: 'connect', as, to, port }) }
  }
  const opened = async (from: Place, to: string, port: number): Promise<string> => {
    const { as, went } = await open(from, to, port)
    assert.equal(went, 'open', `to ${to}`)
    return as
  }
  const went = async (from: Place, to: string, port: number): Promise<unknown> =>
    (await open(from, to, port)).went
  const assertOpen = async (): Promise<void> => {
    for (const v of both) {
      for (const port of [serverPort, otherPort]) {
        assert.equal(await went(net.host, at.other[v], port), 'open')
        assert.equal(await went(net.world, at.host[v], port), 'open')
        assert.equal(await went(net.world, at.container[v], port), 'open')
      }
      assert.equal(pings(net.host, at.other[v]), true)
      assert.equal(pings(net.world, at.host[v]), true)
    }
  }

  test('passes before, is cut to the control server alone, and passes again when that is taken back', async () => {
    await assertOpen()
    const kept = await Promise.all(both.map((v) => opened(net.host, at.server[v], serverPort)))
    const out = await Promise.all(both.map((v) => opened(net.host, at.other[v], otherPort)))
    const samePort = await Promise.all(both.map((v) => opened(net.host, at.other[v], serverPort)))
    const into = await Promise.all(both.map((v) => opened(net.world, at.host[v], otherPort)))
    const across = await Promise.all(both.map((v) => opened(net.container, at.other[v], otherPort)))
    const local = await Promise.all(['127.0.0.1', '::1'].map((to) => opened(net.host, to, otherPort)))

    await apply(barrier)
    for (const as of kept) assert.equal(await say(net.host, as), 'heard', 'older than the table')
    for (const as of [...out, ...samePort]) assert.equal(await say(net.host, as), 'ECONNRESET')
    for (const as of into) assert.equal(await say(net.world, as), 'ECONNRESET')
    for (const as of across) assert.equal(await say(net.container, as), 'ECONNRESET')
    for (const as of local) assert.equal(await say(net.host, as), 'heard')
    for (const [index, v] of both.entries()) {
      assert.equal(await went(net.host, at.server[v], serverPort), 'open')
      assert.equal(await went(net.host, at.server[v], otherPort), 'ECONNREFUSED')
      assert.equal(await went(net.host, at.other[v], serverPort), 'ECONNREFUSED')
      assert.equal(await went(net.host, ['127.0.0.1', '::1'][index] ?? '', otherPort), 'open')
      assert.equal(await went(net.world, at.host[v], otherPort), 'silent')
      assert.equal(await went(net.world, at.host[v], serverPort), 'silent')
      assert.equal(await went(net.world, at.container[v], otherPort), 'silent')
      assert.equal(await went(net.container, at.other[v], otherPort), 'silent')
      // The host itself has to let the container's packets in, too.
      assert.equal(await went(net.container, at.host[v], otherPort), 'silent')
      for (const to of [at.server[v], at.other[v]]) assert.equal(pings(net.host, to), false)
      assert.equal(pings(net.world, at.host[v]), false)
    }

    await apply(null)
    await assertOpen()
    for (const as of kept) assert.equal(await say(net.host, as), 'heard')
  })

  test('is cut from either side: who only listens hears of the reset when the other speaks', async () => {
    const into = await Promise.all(both.map((v) => opened(net.world, at.host[v], otherPort)))
    await apply(barrier)
    for (const v of both) await net.host.probe.ask({ do: 'push', from: at.other[v] })
    for (const v of both) await net.host.probe.ask({ do: 'push', from: at.server[v] })
    for (const as of into) assert.equal(await say(net.world, as), 'ECONNRESET')
    const fates = await Promise.all(
      [at.server.v4, at.server.v6, at.other.v4, at.other.v6].map((from) =>
        net.host.probe.ask({ do: 'fate', from }),
      ),
    )
    assert.equal(
      fates.flat().filter((fate) => fate === 'ECONNRESET').length >= 2,
      true,
      JSON.stringify(fates),
    )
    await apply(null)
  })

  test('keeps its neighbours: an address is found again after the cache of them was emptied', async () => {
    await apply(barrier)
    for (const { space } of [net.host, net.world]) space.run('ip neigh flush all')
    for (const v of both) assert.equal(await went(net.host, at.server[v], serverPort), 'open')
    // The other way round: who asks for the host's link address is answered.
    net.world.space.run('ip neigh flush all')
    assert.equal(await went(net.world, at.host.v6, otherPort), 'silent')
    const neighbour = net.world.space.run(`ip -6 neigh show ${at.host.v6}`)
    assert.match(neighbour, /lladdr .* (REACHABLE|DELAY|PROBE|STALE)/)
    await apply(null)
  })

  test('passes to an allowed address and port, and not to the next', async () => {
    const older = await Promise.all(both.map((v) => opened(net.host, at.other[v], otherPort)))
    const allow = both.map((v) => ({ address: at.other[v], ports: [otherPort, 9_999] }))
    await apply({ ...barrier, allow })
    for (const as of older) assert.equal(await say(net.host, as), 'heard')
    for (const v of both) {
      assert.equal(await say(net.host, await opened(net.host, at.other[v], otherPort)), 'heard')
      assert.equal(await went(net.host, at.other[v], serverPort), 'ECONNREFUSED')
      assert.equal(await went(net.host, at.server[v], otherPort), 'ECONNREFUSED')
      assert.equal(pings(net.host, at.other[v]), false)
      assert.equal(await went(net.world, at.host[v], otherPort), 'silent')
    }
    await apply(null)
  })

  test('passes to an allowed network with every protocol, answers included, and nothing comes from it unasked', async () => {
    const allow = [{ address: '192.0.2.3/32' }, { address: '2001:db8:0:1::3/128' }]
    await apply({ ...barrier, allow })
    for (const v of both) {
      for (const port of [serverPort, otherPort])
        assert.equal(await say(net.host, await opened(net.host, at.other[v], port)), 'heard')
      assert.equal(pings(net.host, at.other[v]), true)
      assert.equal(pings(net.host, at.server[v]), false)
      const from = at.other[v]
      assert.throws(() => net.world.space.run(`ping -c 1 -W 1 -I ${from} ${at.host[v]}`))
    }
    await apply(null)
  })

  test('passes for the processes of an allowed owner, by name or number, and for nobody else', async () => {
    const owned = openProbe(net.host.space)
    await owned.ask({ do: 'become', user: nobody })
    const place: Place = { space: net.host.space, probe: owned }
    try {
      for (const owner of ['nobody', String(nobody)]) {
        await apply({ ...barrier, allow: [{ owner }, { owner: 'no.such-user' }] })
        for (const v of both) {
          assert.equal(await say(place, await opened(place, at.other[v], otherPort)), 'heard')
          assert.equal(await went(net.host, at.other[v], otherPort), 'ECONNREFUSED')
          assert.equal(await went(net.world, at.host[v], otherPort), 'silent')
        }
      }
      const logged = JSON.stringify(await net.host.probe.ask({ do: 'logged' }))
      assert.equal(logged.split('no.such-user').length, 2, `said once: ${logged}`)

      const older = await opened(place, at.other.v4, otherPort)
      await apply({ ...barrier, allow: [{ owner: '0' }] })
      assert.equal(await say(place, older), 'ECONNRESET')
      assert.equal(await went(place, at.other.v4, otherPort), 'ECONNREFUSED')
    } finally {
      await owned.close()
      await apply(null)
    }
  })
})
