/** Every row of *What stands* in `docs/steps.md`: a real server, a real agent, real nftables and a real fapolicyd. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Aspect } from '@countermand/contract'
import { seed } from '../../packages/server/src/testing/dice.ts'
import { processesWith } from '../end-to-end/fixture.ts'
import { until } from '../end-to-end/program.ts'
import { assertVerified } from '../faults/acts.ts'
import { needs } from '../needs.ts'
import { rowsToPlay, type Row } from '../steps/table.ts'
import { openStage, type Stage, type Tail } from './stage.ts'

const timeout = 180_000
const isAble = (['root', 'unshare', 'nsenter', 'ip', 'nft', 'fapolicyd'] as const).every(needs)

/** Somebody else's, which must outlive everything. */
const others = `table ip somebody {
chain input {
type filter hook input priority 0; policy accept;
tcp dport 9 drop
}
}
`

/** Where the agent dies. At its start it makes the host stand as it stood, once more. */
const points: Readonly<Record<string, (aspect: Aspect) => string>> = {
  'on its way': () => 'reply-received',
  'on disk': (aspect) => `${aspect}-candidate`,
  'made so': (aspect) => `${aspect}-applied:2`,
  confirmed: (aspect) => `${aspect}-confirmed`,
}

interface Kind {
  readonly aspect: Aspect
  readonly tail: Tail
  /** It begins on a host that stands so, and lifts that. */
  readonly lifts: boolean
}
const kinds: Readonly<Record<string, Kind>> = {
  isolate: { aspect: 'isolation', tail: 'isolate', lifts: false },
  unisolate: { aspect: 'isolation', tail: 'unisolate', lifts: true },
  restrict: { aspect: 'restriction', tail: 'restrictCodeExecution', lifts: false },
  unrestrict: { aspect: 'restriction', tail: 'unrestrictCodeExecution', lifts: true },
}
const kindOf = (action: string): Kind => {
  const kind = kinds[action]
  assert.ok(kind, `nobody knows ${action}`)
  return kind
}
/** By the word for what is left: what stands then. */
const lefts: Readonly<Record<string, readonly Aspect[]>> = {
  nothing: [],
  isolated: ['isolation'],
  restricted: ['restriction'],
}

type Happening = (stage: Stage, id: string) => Promise<unknown>
const cancel: Happening = (stage, id) => stage.world.api.cancel(id)
const twice: Happening = async (stage, id) => {
  await cancel(stage, id)
  await cancel(stage, id)
}
const flush: Happening = async (stage) => {
  stage.nft('flush ruleset')
  stage.cable.run('device', 'nft -f -', others)
  await pause(0)
}
const happenings: Readonly<Record<string, Happening>> = {
  'a cancel': cancel,
  'a cancel, twice': twice,
  'an isolate': (stage) => stage.issue('isolate'),
  'an unisolate': (stage) => stage.issue('unisolate'),
  'an unrestrict': (stage) => stage.issue('unrestrictCodeExecution'),
  'a restrict': (stage) => stage.issue('restrictCodeExecution'),
  'the daemon’s death': async ({ room }) => room?.endDaemon(),
  'the daemon’s death, a cancel': async (stage, id) => {
    stage.room?.endDaemon()
    await cancel(stage, id)
  },
  'a flush of all rules': flush,
  'a flush of all rules, a cancel': async (stage, id) => {
    await flush(stage, id)
    await cancel(stage, id)
  },
  'the agent’s death': (stage) => stage.world.device.program.kill(),
  'the server’s death': async ({ world }) => {
    await world.server.kill()
    await world.startServer()
  },
  // Until it has been back for longer than a reply could take that is still on its way.
  'a cut of the connection': async (stage) => {
    stage.cable.lose('')
    await stage.world.device.program.kill()
    stage.world.device.startAlone()
    await until('the host to be put back', () => !stage.isBarred(), { withinMs: 90_000 })
    stage.cable.mend()
  },
  'a reboot': async (stage, id) => {
    await stage.world.device.program.kill()
    await flush(stage, id)
    stage.room?.reboot()
  },
  'a new installation': async ({ world }) => {
    await world.device.program.kill()
    const { dataFolder } = world.device
    for (const name of [
      'posture-isolation.json',
      'posture-restriction.json',
      'journal',
      'firewall',
      'execution',
    ])
      rmSync(join(dataFolder, name), { recursive: true, force: true })
  },
}

async function bringTo(stage: Stage, { action, at }: Row): Promise<string> {
  const { world } = stage
  const { tail, aspect } = kindOf(action)
  if (at === 'over') {
    const id = await stage.issue(tail)
    await world.api.untilOver(id)
    return id
  }
  await world.device.program.kill()
  const id = await stage.issue(tail)
  if (at === 'waiting for its device') return id
  const point = points[at]
  assert.ok(point, `nobody knows ${at}`)
  await stage.dieAt(point(aspect))
  return id
}

describe.skipIf(!isAble)('what stands', { timeout }, () => {
  let stage: Stage
  beforeAll(async () => {
    console.log(`COUNTERMAND_SEED=${seed}`)
    stage = await openStage({ restricts: true })
    stage.cable.run('device', 'nft -f -', others)
  }, timeout)
  afterAll(async () => stage?.close(), timeout)

  const settled = async (left: readonly Aspect[]): Promise<void> => {
    const [isBarred, isRestricted] = [left.includes('isolation'), left.includes('restriction')]
    await until(`the host to be ${left.join(' and ') || 'free'}`, async () => {
      const { isolation, restriction } = (await stage.machine()).countermand
      return (
        isolation.state === (isBarred ? 'Isolated' : 'NotIsolated') &&
        restriction.state === (isRestricted ? 'Restricted' : 'NotRestricted') &&
        isolation.confirmed &&
        restriction.confirmed &&
        stage.isBarred() === isBarred &&
        stage.room?.isRestricted() === isRestricted
      )
    })
  }

  /** As the row begins: free, or as it is to be lifted, by an action that is over. */
  const begin = async (left: readonly Aspect[]): Promise<void> => {
    stage.cable.mend()
    await stage.up()
    const { isolation, restriction } = (await stage.machine()).countermand
    const now = { isolation: isolation.state === 'Isolated', restriction: restriction.state === 'Restricted' }
    for (const { aspect, tail, lifts } of Object.values(kinds))
      if (now[aspect] === lifts && left.includes(aspect) !== lifts)
        await stage.world.api.untilOver(await stage.issue(tail))
    await settled(left)
  }

  test.each(rowsToPlay('what stands'))('$number: $action, $at; then $comes: $status, $left', async (row) => {
    const happen = happenings[row.comes]
    assert.ok(happen, `nobody knows ${row.comes}`)
    const { aspect, lifts } = kindOf(row.action)
    await begin(lifts ? [aspect] : [])
    const id = await bringTo(stage, row)
    await happen(stage, id)
    await stage.up()
    const { status, countermand } = await stage.world.api.untilOver(id)
    assert.deepEqual(
      { status, proof: countermand.proof },
      { status: row.status, proof: row.proof },
      JSON.stringify(countermand),
    )
    const left = lefts[row.left]
    assert.ok(left, `nobody knows ${row.left}`)
    await settled(left)
    assert.ok(stage.nft('list tables').includes('ip somebody'), 'the rules of others are as they were')
    assert.deepEqual(processesWith(join(stage.world.device.dataFolder, 'firewall')), [])
    await assertVerified(stage.world)
  })
})
