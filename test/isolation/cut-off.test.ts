/** A host that is isolated and cut off from its server: lifted on the spot, and found again where the server has moved. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { agentMain, withWorld } from '../end-to-end/fixture.ts'
import { until } from '../end-to-end/program.ts'
import { needs } from '../needs.ts'
import { openStage, type Stage } from './stage.ts'

const timeout = 120_000
const isAble = (['root', 'unshare', 'nsenter', 'ip', 'nft'] as const).every(needs)

const challengeIn = (text: string): string => /cmc1\.[\w-]+/.exec(text)?.[0] ?? ''

describe.skipIf(!isAble)('a host that is cut off', { timeout }, () => {
  let stage: Stage
  beforeAll(async () => void (stage = await openStage()), timeout)
  afterAll(async () => stage?.close(), timeout)

  const state = async (): Promise<string> => (await stage.machine()).countermand.isolation.state
  const isolated = async (): Promise<void> => {
    if ((await state()) !== 'Isolated') await stage.world.api.untilOver(await stage.issue('isolate'))
    await until('the barrier', () => stage.isBarred())
  }

  /** What a person types at the device; answers what is printed, and how it ended. */
  const type = (args: readonly string[], typed = ''): { text: string; code: number } => {
    const [file = '', ...inside] = stage.cable.at.device
    const command = [...inside, process.execPath, agentMain, ...args, '--data', stage.world.device.dataFolder]
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

  const signed = async (challenge: string, machineId = stage.world.device.machineId): Promise<Response> =>
    stage.world.api.ask('POST', `/api/countermand/devices/${machineId}/release`, { Challenge: challenge })
  const answerTo = async (challenge: string): Promise<string> => {
    const answer = await signed(challenge)
    assert.equal(answer.status, 200)
    const { value }: { value: string } = JSON.parse(await answer.text())
    return value
  }

  test('says in plain words what stands, and why', async () => {
    await isolated()
    const { actionId } = (await stage.machine()).countermand.isolation
    const { text, code } = type(['status'])
    assert.equal(code, 0)
    assert.match(text, new RegExp(stage.world.device.machineId))
    assert.match(text, new RegExp(String(actionId)))
    assert.match(text, /isolated/i)
  })

  test('is not lifted by an answer that the server has not signed, or for another challenge', async () => {
    await isolated()
    const first = challengeIn(type(['release']).text)
    const answer = await answerTo(first)
    // A later challenge: the answer to the first is worth nothing any more.
    assert.notEqual(challengeIn(type(['release']).text), first)
    for (const wrong of [answer, `${answer.slice(0, -8)}AAAAAAAA`, 'yes']) {
      assert.notEqual(type(['release', '--answer', wrong]).code, 0)
      assert.ok(stage.isBarred())
    }
  })

  test('what is no challenge of this machine is not signed', async () => {
    for (const wrong of ['', 'cmc1.', 'cmc1.e30', 'hello'])
      assert.equal((await signed(wrong)).status, 400, wrong)
    const other = Buffer.from(
      JSON.stringify({ machineId: '0'.repeat(40), generation: 1, nonce: 'A'.repeat(22) }),
    ).toString('base64url')
    assert.equal((await signed(`cmc1.${other}`)).status, 400)
  })

  test.each(['running', 'dead'])(
    'is lifted on the spot while its agent is %s, and isolated again at the next contact',
    async (agent) => {
      await isolated()
      stage.cable.lose('')
      if (agent === 'dead') await stage.world.device.program.kill()
      const challenge = challengeIn(type(['release']).text)
      const { text, code } = type(['release', '--answer', await answerTo(challenge)])
      assert.equal(code, 0, text)
      assert.equal(stage.isBarred(), false)
      // Nobody puts it back while there is no contact.
      await pause(6_000)
      assert.equal(stage.isBarred(), false)
      assert.notEqual(type(['release', '--answer', await answerTo(challenge)]).code, 0, 'good for once')
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
