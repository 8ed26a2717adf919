/** A host that is isolated and cut off from its server: lifted on the spot, and found again where the server has moved. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { agentMain, withWorld } from '../end-to-end/fixture.ts'
import { until } from '../end-to-end/program.ts'
import { needs } from '../needs.ts'
import { hasItsTurn } from '../turns.ts'
import { openStage, type Stage } from './stage.ts'

const timeout = 120_000
const isAble = (['root', 'unshare', 'nsenter', 'ip', 'nft'] as const).every(needs)

const challengeIn = (text: string): string => /cmc1\.[\w-]+/.exec(text)?.[0] ?? ''

/** What a person types at the device; answers what is printed, and how it ended. */
function type(stage: Stage, args: readonly string[], typed = ''): { text: string; code: number } {
  const [file = '', ...inside] = [...stage.cable.at.device, ...(stage.room?.inside ?? [])]
  const command = [
    ...inside,
    process.execPath,
    agentMain,
    ...args,
    '--data',
    stage.world.device.dataFolder,
    ...(stage.room?.agentFlags ?? []),
  ]
  try {
    return { text: execFileSync(file, command, { input: typed, encoding: 'utf8', stdio: 'pipe' }), code: 0 }
  } catch (thrown) {
    if (!(thrown instanceof Error && 'stdout' in thrown && 'status' in thrown)) throw thrown
    return {
      text: `${String(thrown.stdout)}${'stderr' in thrown ? String(thrown.stderr) : ''}`,
      code: Number(thrown.status),
    }
  }
}

const signed = async (
  stage: Stage,
  challenge: string,
  machineId = stage.world.device.machineId,
): Promise<Response> =>
  stage.world.api.ask('POST', `/api/countermand/devices/${machineId}/release`, { Challenge: challenge })

async function answerTo(stage: Stage, challenge: string): Promise<string> {
  const answer = await signed(stage, challenge)
  assert.equal(answer.status, 200)
  const { value }: { value: string } = JSON.parse(await answer.text())
  return value
}

describe.skipIf(!isAble)('a host that is cut off', { timeout }, () => {
  let stage: Stage
  beforeAll(async () => void (stage = await openStage()), timeout)
  afterAll(async () => stage?.close(), timeout)

  const state = async (): Promise<string> => (await stage.machine()).countermand.isolation.state
  const isolated = async (): Promise<void> => {
    if ((await state()) !== 'Isolated') await stage.world.api.untilOver(await stage.issue('isolate'))
    await until('the barrier', () => stage.isBarred())
  }

  test('says in plain words what stands, and why', async () => {
    await isolated()
    const { actionId } = (await stage.machine()).countermand.isolation
    const { text, code } = type(stage, ['status'])
    assert.equal(code, 0)
    assert.match(text, new RegExp(stage.world.device.machineId))
    assert.match(text, new RegExp(String(actionId)))
    assert.match(text, /isolated/i)
  })

  test.runIf(hasItsTurn(1, 4))(
    'is not lifted by an answer that the server has not signed, or for another challenge',
    async () => {
      await isolated()
      const first = challengeIn(type(stage, ['release']).text)
      const answer = await answerTo(stage, first)
      // A later challenge: the answer to the first is worth nothing any more.
      assert.notEqual(challengeIn(type(stage, ['release']).text), first)
      for (const wrong of [answer, `${answer.slice(0, -8)}AAAAAAAA`, 'yes']) {
        assert.notEqual(type(stage, ['release', '--answer', wrong]).code, 0)
        assert.ok(stage.isBarred())
      }
    },
  )

  test('what is no challenge of this machine is not signed', async () => {
    for (const wrong of ['', 'cmc1.', 'cmc1.e30', 'hello'])
      assert.equal((await signed(stage, wrong)).status, 400, wrong)
    const other = Buffer.from(
      JSON.stringify({ machineId: '0'.repeat(40), generation: 1, nonce: 'A'.repeat(22) }),
    ).toString('base64url')
    assert.equal((await signed(stage, `cmc1.${other}`)).status, 400)
  })

  test.runIf(hasItsTurn(0, 4)).each(['running', 'dead'])(
    'is lifted on the spot while its agent is %s, and isolated again at the next contact',
    async (agent) => {
      await isolated()
      stage.cable.lose('')
      if (agent === 'dead') await stage.world.device.program.kill()
      const challenge = challengeIn(type(stage, ['release']).text)
      const { text, code } = type(stage, ['release', '--answer', await answerTo(stage, challenge)])
      assert.equal(code, 0, text)
      assert.equal(stage.isBarred(), false)
      // Nobody puts it back while there is no contact.
      await pause(6_000)
      assert.equal(stage.isBarred(), false)
      assert.notEqual(
        type(stage, ['release', '--answer', await answerTo(stage, challenge)]).code,
        0,
        'good for once',
      )
      stage.cable.mend()
      await stage.up()
      await until(
        'the isolation to stand again',
        async () => stage.isBarred() && (await state()) === 'Isolated',
      )
      const released = await until('the server to hear of it', async () => {
        const answer = await stage.world.api.ask('GET', '/api/countermand/events?after=0&follow=false')
        const body = await answer.text()
        return body.includes('device.released') && body.includes('device.release_signed')
      })
      assert.ok(released)
    },
  )

  test('a table that somebody deletes is back within 5 s, and the server is told', async () => {
    await isolated()
    const name = /table (inet countermand_\w+)/.exec(stage.nft('list tables'))?.[1] ?? ''
    stage.nft(`delete table ${name}`)
    await until('the table to be back', () => stage.isBarred(), { withinMs: 5_000 })
    await until('the server to be told', async () => {
      const answer = await stage.world.api.ask('GET', '/api/countermand/events?after=0&follow=false')
      return (await answer.text()).includes('device.drift')
    })
  })
})

describe.skipIf(!isAble || !needs('fapolicyd'))(
  'a host that is restricted, and cut off from its server',
  () => {
    test.runIf(hasItsTurn(2, 4))(
      'says so, and is freed on the spot of that and of its isolation',
      { timeout },
      async () => {
        const stage = await openStage({ restricts: true })
        const { world, cable, room } = stage
        try {
          for (const tail of ['isolate', 'restrictCodeExecution'] as const)
            await world.api.untilOver(await stage.issue(tail))
          assert.equal(room?.isRestricted(), true)
          cable.lose('')
          assert.match(
            type(stage, ['status']).text,
            /restricted to programs .*\n {2}The host stands just so\./,
          )
          const challenge = challengeIn(type(stage, ['release']).text)
          const { text, code } = type(stage, ['release', '--answer', await answerTo(stage, challenge)])
          assert.equal(code, 0, text)
          assert.equal(room?.isRestricted(), false)
          assert.equal(stage.isBarred(), false)
        } finally {
          await stage.close()
        }
      },
    )
  },
)

describe.skipIf(!isAble)('the control server of a host that is isolated', { timeout }, () => {
  const later = '192.0.2.5'

  test.runIf(hasItsTurn(3, 4))(
    'moves to an address that was announced: the host finds it, and can be released',
    async () => {
      const stage = await openStage()
      const { world, cable } = stage
      try {
        cable.run('server', `ip address add ${later}/32 dev cable`)
        cable.run('device', `ip route add ${later}/32 dev cable`)
        await world.api.untilOver(await stage.issue('isolate'))
        assert.ok(!stage.nft('list ruleset').includes(later))
        await world.server.kill()
        stage.environ('server', `COUNTERMAND_DEVICE_ADDRESSES=192.0.2.1,${later}`)
        await world.startServer()
        // It would ask by itself within five minutes.
        await world.device.program.kill()
        await stage.up()
        await until('the host to let the new address pass', async () => {
          const { state, confirmed } = (await stage.machine()).countermand.isolation
          return state === 'Isolated' && confirmed && stage.nft('list ruleset').includes(later)
        })
        // Nobody is at the old one any more.
        cable.lose('ip daddr 192.0.2.1', ['server'])
        await world.device.program.kill()
        stage.environ('device', `COUNTERMAND_AGENT_SERVER=http://${later}:8600`)
        await stage.up()
        assert.ok(stage.isBarred())
        const released = await world.api.untilOver(await stage.issue('unisolate'))
        assert.equal(released.status, 'Succeeded')
        assert.equal(stage.isBarred(), false)
      } finally {
        await stage.close()
      }
    },
  )
})

describe.skipIf(!isAble)("the control server's own host", { timeout }, () => {
  test('is not isolated unless that is allowed', async () => {
    await withWorld({ embedded: true }, async ({ api, device }) => {
      await until('the agent to have spoken', async () => {
        const answer = await api.ask('POST', `/api/machines/${device.machineId}/isolate`, { Comment: 'x' })
        const text = await answer.text()
        return answer.status === 403 && text.includes('--allow-containment')
      })
    })
  })
})
