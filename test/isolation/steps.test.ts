/** Every row of *What stands* in `docs/steps.md`: a real server, a real agent, real nftables. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { seed } from '../../packages/server/src/testing/dice.ts'
import { processesWith } from '../end-to-end/fixture.ts'
import { until } from '../end-to-end/program.ts'
import { assertVerified } from '../faults/acts.ts'
import { needs } from '../needs.ts'
import { rowsToPlay, type Row } from '../steps/table.ts'
import { openStage, type Stage } from './stage.ts'

const timeout = 180_000
const isAble = (['root', 'unshare', 'nsenter', 'ip', 'nft'] as const).every(needs)

/** Somebody else's, which must outlive everything. */
const others = `table ip somebody {
chain input {
type filter hook input priority 0; policy accept;
tcp dport 9 drop
}
}
`

/** Where the agent dies. At its start it makes the host stand as it stood, once more. */
const points: Readonly<Record<string, { readonly isolate: string; readonly unisolate: string }>> = {
  'on its way': { isolate: 'reply-received', unisolate: 'reply-received' },
  'on disk': { isolate: 'posture-candidate', unisolate: 'posture-candidate' },
  'made so': { isolate: 'posture-applied:2', unisolate: 'posture-applied:2' },
  confirmed: { isolate: 'posture-confirmed', unisolate: 'posture-confirmed' },
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
  },
  'a new installation': async ({ world }) => {
    await world.device.program.kill()
    const { dataFolder } = world.device
    for (const name of ['posture.json', 'journal', 'firewall'])
      rmSync(join(dataFolder, name), { recursive: true, force: true })
  },
}

async function bringTo(stage: Stage, { action, at }: Row): Promise<string> {
  const { world } = stage
  const tail = action === 'isolate' ? 'isolate' : 'unisolate'
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
  await stage.dieAt(point[tail])
  return id
}

describe.skipIf(!isAble)('what stands', { timeout }, () => {
  let stage: Stage
  beforeAll(async () => {
    console.log(`COUNTERMAND_SEED=${seed}`)
    stage = await openStage()
    stage.cable.run('device', 'nft -f -', others)
  }, timeout)
  afterAll(async () => stage?.close(), timeout)

  const settled = async (isBarred: boolean): Promise<void> => {
    const word = isBarred ? 'Isolated' : 'NotIsolated'
    await until(`the host to be ${word}`, async () => {
      const { state, confirmed } = (await stage.machine()).countermand.isolation
      return state === word && confirmed && stage.isBarred() === isBarred
    })
  }

  /** As the row begins: free, or isolated by an action that is over. */
  const begin = async (isBarred: boolean): Promise<void> => {
    stage.cable.mend()
    await stage.up()
    const { state } = (await stage.machine()).countermand.isolation
    if ((state === 'Isolated') !== isBarred)
      await stage.world.api.untilOver(await stage.issue(isBarred ? 'isolate' : 'unisolate'))
    await settled(isBarred)
  }

  test.each(rowsToPlay('what stands'))('$number: $action, $at; then $comes: $status, $left', async (row) => {
    const happen = happenings[row.comes]
    assert.ok(happen, `nobody knows ${row.comes}`)
    await begin(row.action === 'unisolate')
    const id = await bringTo(stage, row)
    await happen(stage, id)
    await stage.up()
    const { status, countermand } = await stage.world.api.untilOver(id)
    assert.deepEqual(
      { status, proof: countermand.proof },
      { status: row.status, proof: row.proof },
      JSON.stringify(countermand),
    )
    await settled(row.left === 'isolated')
    assert.ok(stage.nft('list tables').includes('ip somebody'), 'the rules of others are as they were')
    assert.deepEqual(processesWith(join(stage.world.device.dataFolder, 'firewall')), [])
    await assertVerified(stage.world)
  })
})
