/** Processes die by kill -9 at every named point; nothing that was acknowledged is lost, and nothing that was said untrue. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { needs } from '../needs.ts'
import { runChaos } from './chaos.ts'
import { planOf, pointOf } from './plan.ts'
import { points } from './points.ts'
import { faultLines, tableOf, wanting } from './table.ts'

const seed = Number(process.env.COUNTERMAND_CHAOS_SEED ?? 1)
const rounds = Number(process.env.COUNTERMAND_CHAOS_ROUNDS ?? 50)
const leastHits = Math.min(2, Math.floor(rounds / points.length))

describe.skipIf(!needs('root') || !needs('cgroup2'))('chaos', () => {
  const timeout = 60_000 + rounds * 10_000
  test(
    `${rounds} rounds of seed ${seed}, and at every point something has died`,
    { timeout },
    async (context) => {
      const said: string[] = []
      const say = (line: string): void => void said.push(line)
      const { signal } = context
      const chaos = await runChaos({ seed, rounds, only: null, lanes: 3, leastHits, keep: null, say, signal })
      const faults = [...faultLines(chaos, seed), ...wanting(chaos, leastHits)]
      assert.deepEqual(faults, [], `${tableOf(chaos)}\n${said.join('\n')}`)
      assert.ok(chaos.played.length >= rounds)
    },
  )
})

test('a seed and a number make the same round again, and each point has its turn', () => {
  const plans = points.map((_, index) => planOf(7, index + 1))
  assert.deepEqual(
    plans,
    points.map((_, index) => planOf(7, index + 1)),
  )
  assert.deepEqual(new Set(plans.map(({ point }) => point)).size, points.length)
  assert.deepEqual(pointOf(points.length + 1), points[0])
  assert.notDeepEqual(planOf(8, 1), planOf(7, 1))
})

describe.each(['server', 'agent'])('the %s', (name) => {
  test.each(['no-such-point', 'constructor', 'frozen:0', 'cancel-received:x'])(
    'does not start when it is told to die at %s, which there is not',
    (point) => {
      const folder = mkdtempSync(join(tmpdir(), 'countermand-chaos-'))
      try {
        const main = join(import.meta.dirname, `../../packages/${name}/src/main.ts`)
        const env = { ...process.env, COUNTERMAND_KILL_AT: point }
        const args = [main, '--data', join(folder, 'data')]
        const { status, stderr } = spawnSync(process.execPath, args, {
          env,
          encoding: 'utf8',
          timeout: 20_000,
        })
        assert.equal(status, 1, stderr)
        assert.match(stderr, /COUNTERMAND_KILL_AT takes NAME or NAME:N with NAME one of /)
        assert.deepEqual(readdirSync(folder), [], 'nothing was begun')
      } finally {
        rmSync(folder, { recursive: true })
      }
    },
  )
})
