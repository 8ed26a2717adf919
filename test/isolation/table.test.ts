/** The table of an isolation: whole or not there, read back, watched, and the only one that is touched. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Barrier } from '../../packages/agent/src/host/firewall/types.ts'
import { until } from '../end-to-end/program.ts'
import { openNamespace, type Namespace } from '../faults/network-namespace.ts'
import { needs } from '../needs.ts'
import { openProbe, type Probe } from './network.ts'

const isAble = (['root', 'nft', 'ip', 'unshare', 'nsenter', 'flock'] as const).every(needs)

const name = 'test'
const table = `countermand_${name}`
const barrierOf = (generation: number): Barrier => ({
  generation,
  server: { addresses: ['192.0.2.1', '2001:db8::1'], port: 8600 },
  allow: Array.from({ length: 20 }, (_, index) => ({
    address: `198.51.${generation}.${index}`,
    ports: [443],
  })),
})
const foreign = `
table ip theirs { counter c { packets 5 bytes 300
  }
  set s { type ipv4_addr; flags timeout; elements = { 203.0.113.9 }
  }
  chain input { type filter hook input priority 0; policy accept; ip saddr @s counter name "c" drop
  }
}
table inet countermand_tests { chain none { accept
  }
}
`
const hostRules = (): string => execFileSync('nft', ['-s', 'list', 'ruleset'], { encoding: 'utf8' })

describe.skipIf(!isAble)('the table of an isolation', () => {
  const before = isAble ? hostRules() : ''
  const folder = mkdtempSync(join(tmpdir(), 'countermand-isolation-'))
  let space: Namespace
  let probe: Probe

  const openAgent = async (): Promise<Probe> => {
    const made = openProbe(space)
    await made.ask({ do: 'firewall', name, folder: join(folder, 'firewall') })
    return made
  }
  const apply = (barrier: Barrier | null): Promise<unknown> => probe.ask({ do: 'apply', barrier })
  const difference = async (barrier: Barrier | null): Promise<string> =>
    String(await probe.ask({ do: 'difference', barrier }))
  const rules = (): string => space.run('nft -s list ruleset')
  const load = (text: string): void => void space.run('nft -f -', text)

  beforeAll(async () => {
    space = await openNamespace()
    probe = await openAgent()
  })
  afterAll(async () => {
    await probe?.close()
    await space?.close()
    rmSync(folder, { recursive: true })
    assert.equal(hostRules(), before, 'the rules of the machine that runs the tests have changed')
  })

  test('stands beside those of others, which are what they were, and goes without a trace', async () => {
    load(foreign)
    const alone = space.run('nft list ruleset')
    const aloneWithoutCounts = rules()
    assert.equal(await difference(null), 'null')
    await apply(barrierOf(1))
    assert.equal(await difference(barrierOf(1)), 'null')
    assert.match(await difference(null), /stands/)
    assert.match(await difference(barrierOf(2)), /generation 2/)
    const theirs = rules().replace(space.run(`nft -s list table inet ${table}`), '')
    assert.equal(theirs.trim(), aloneWithoutCounts.trim())
    await apply(barrierOf(2))
    assert.equal(await difference(barrierOf(2)), 'null')
    await apply(null)
    await apply(null)
    assert.equal(space.run('nft list ruleset'), alone)
    assert.deepEqual(readdirSync(join(folder, 'firewall')), ['lock'])
    load('flush ruleset')
  })

  test('that is flushed or lacks a rule is seen, and mended by applying it again', async () => {
    await probe.ask({ do: 'watch' })
    await apply(barrierOf(1))
    const acts: readonly (readonly [() => void, RegExp])[] = [
      [() => load('flush ruleset'), /missing/],
      [() => load(`delete table inet ${table}`), /missing/],
      [() => deleteRule('output', 'meta l4proto tcp reject'), /missing: meta l4proto tcp reject/],
      [() => load(`insert rule inet ${table} input accept`), /added: accept/],
      [() => load(`add chain inet ${table} input { policy accept; }`), /missing: .*policy drop/],
      [() => load(`add table inet ${table} { flags dormant; }`), /dormant/],
    ]
    for (const [act, words] of acts) {
      await settled()
      const calls = await probe.ask({ do: 'calls' })
      act()
      await until('the watch to call', async () => (await probe.ask({ do: 'calls' })) !== calls)
      assert.match(await difference(barrierOf(1)), words)
      await apply(barrierOf(1))
      assert.equal(await difference(barrierOf(1)), 'null')
    }
  })

  const deleteRule = (chain: string, text: string): void => {
    const listing = space.run(`nft -a list chain inet ${table} ${chain}`)
    const handle = listing
      .split('\n')
      .find((line) => line.includes(text))
      ?.split('# handle ')[1]
    space.run(`nft delete rule inet ${table} ${chain} handle ${handle}`)
  }
  /** What was done before has been told. */
  const settled = async (): Promise<void> => {
    for (let last: unknown = null; ; await pause(200)) {
      const now = await probe.ask({ do: 'calls' })
      if (now === last) return
      last = now
    }
  }
  const monitors = (): string[] =>
    execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes('nft monitor') && line.trim().split(/\s+/)[1] === String(probe.pid))

  test('is watched again when the watch was ended by somebody, and no longer when it is not wanted', async () => {
    const [first = ''] = await until('a watch', () => (monitors().length === 1 ? monitors() : null))
    process.kill(Number(first.trim().split(/\s+/)[0]), 'SIGKILL')
    await until('another watch', () => monitors().length === 1 && monitors()[0] !== first)
    await settled()
    const calls = await probe.ask({ do: 'calls' })
    // Until one is there that listens already.
    await until('the watch to call', async () => {
      load('add table ip somebody; delete table ip somebody')
      return (await probe.ask({ do: 'calls' })) !== calls
    })
    await probe.ask({ do: 'unwatch' })
    await until('no watch', () => monitors().length === 0)
  })

  test('is what it was where an isolation cannot be had: what is no address, port or name changes nothing', async () => {
    await apply(barrierOf(1))
    const standing = rules()
    const wrong = barrierOf(2)
    const bad: readonly Barrier[] = [
      { ...wrong, allow: [{ address: '192.0.2.9 accept\n}}; flush ruleset; #' }] },
      ...['192.0.2.999', '192.0.2.0/33', '2001:db8::/129', 'fe80::1%lo', 'example.org', ''].map(
        (address) => ({
          ...wrong,
          allow: [{ address }],
        }),
      ),
      { ...wrong, allow: [{ address: '192.0.2.9', ports: [0] }] },
      { ...wrong, allow: [{ owner: 'nobody accept' }] },
      { ...wrong, server: { addresses: ['192.0.2.0/24'], port: 8600 } },
      { ...wrong, server: { addresses: [], port: 8600 } },
    ]
    for (const barrier of bad) {
      await assert.rejects(apply(barrier), /so nothing was changed|so this host is not isolated/)
      assert.equal(rules(), standing)
    }
    assert.equal(await difference(barrierOf(1)), 'null')
  })

  test('takes allowed networks that lie within each other, everybody, and each twice', async () => {
    const addresses = [
      '10.0.0.0/8',
      '10.1.2.3',
      '10.1.0.0/16',
      '10.1.2.3',
      '0.0.0.0/0',
      '::/0',
      '2001:DB8::1',
    ]
    const allow = addresses.flatMap((address) => [{ address }, { address, ports: [443, 80, 443] }])
    const barrier: Barrier = {
      ...barrierOf(3),
      allow: [...allow, { address: '::1', ports: [53], protocol: 'udp' }],
    }
    await apply(barrier)
    assert.equal(await difference(barrier), 'null')
  })

  test('can be put up and lifted by several at the same time: one after the other, the last one whole', async () => {
    const agents = await Promise.all(Array.from({ length: 3 }, openAgent))
    try {
      const wishes = [barrierOf(1), barrierOf(2), null]
      await Promise.all(
        agents.map((agent, index) => agent.ask({ do: 'apply', barrier: wishes[index] ?? null })),
      )
      const found = await Promise.all(wishes.map(difference))
      assert.equal(found.filter((words) => words === 'null').length, 1, JSON.stringify(found))
    } finally {
      for (const agent of agents) await agent.close()
    }
  })

  test('is whole, the former or the new one, whenever an agent is killed while it puts it up', async () => {
    const seed = Number(process.env.COUNTERMAND_SEED ?? Math.floor(Math.random() * 2 ** 31))
    const roll = dice(seed)
    let generation = 1
    await apply(barrierOf(generation))
    const seen = { former: 0, new: 0 }
    for (let round = 0; round < 20; round += 1) {
      const next = round % 5 === 4 ? null : barrierOf(10 + round)
      const former = round === 0 || round % 5 !== 0 ? barrierOf(generation) : null
      const agent = await openAgent()
      await agent.ask({ do: 'begin', barrier: next })
      await pause(roll() * 400)
      await agent.kill()
      // What the killed one has left running comes first, and then this one.
      const found = [await difference(former), await difference(next)]
      await apply(next)
      assert.equal(
        found.includes('null'),
        true,
        `COUNTERMAND_SEED=${seed} round ${round}: ${found.join(' ')}`,
      )
      seen[found[0] === 'null' ? 'former' : 'new'] += 1
      await pause(50)
      assert.equal(await difference(next), 'null', `COUNTERMAND_SEED=${seed} round ${round}: overtaken`)
      generation = next?.generation ?? generation
    }
    console.log(`COUNTERMAND_SEED=${seed}: former ${seen.former}, new ${seen.new}`)
    await apply(null)
    assert.deepEqual(
      readdirSync(join(folder, 'firewall')).filter((each) => each !== 'lock' && !each.includes('.tmp-')),
      [],
    )
  })
})

/** Numbers below 1 that the seed decides. */
function dice(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
