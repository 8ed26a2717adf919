/** What a newcomer is shown: the tour as a program, and its lines as they are printed to be pasted. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { needs } from '../needs.ts'
import type { Api } from './api.ts'
import { freePort, openWorld, withWorld, type World } from './fixture.ts'

const timeout = 180_000
const run = promisify(execFile)
const sources = join(import.meta.dirname, '../../packages/server/src')

/** What `npm start` has printed to be pasted. */
function printedLines(world: World): string {
  const lines = world.server.output().split('\n')
  const first = lines.findIndex((line) => line.startsWith('c() {'))
  const last = lines.findIndex((line) => line.startsWith('api countermand/actions/'))
  assert.ok(first >= 0 && last > first, world.server.output())
  return lines.slice(first, last + 1).join('\n')
}

/** Of the package that was collected, once it is there: on a busy host that is after the tour. */
async function packageLink({ api }: World): Promise<string> {
  const filter = encodeURIComponent("type eq 'CollectInvestigationPackage'")
  const found = await answerOf<{ value: [{ id: string }] }>(api, `/api/machineactions?$filter=${filter}`)
  const [{ id }] = found.value
  assert.equal((await api.untilOver(id)).status, 'Succeeded')
  return (await answerOf<{ value: string }>(api, `/api/machineactions/${id}/getPackageUri`)).value
}

async function answerOf<Answer>(api: Api, path: string): Promise<Answer> {
  const response = await api.ask('GET', path)
  assert.equal(response.status, 200)
  const answer: Answer = JSON.parse(await response.text())
  return answer
}

describe.skipIf(!needs('root') || !needs('cgroup2'))('the tour', { timeout }, () => {
  let world: World
  beforeAll(async () => void (world = await openWorld({ embedded: true })), timeout)
  afterAll(async () => world.close(), timeout)

  test('ends in an action that was cancelled, with proof; the package that it has collected can be fetched', async () => {
    const { stdout } = await run(process.execPath, [
      join(sources, 'tour/main.ts'),
      '--data',
      world.dataFolder,
    ])
    assert.match(stdout.trim().split('\n').at(-1) ?? '', /^\{"status":"Cancelled","proof":"reverted",/)
    assert.match(stdout, /"value": "http:\/\/\S+\/download\/\S+"|it takes its time/)
    const zip = Buffer.from(await (await fetch(await packageLink(world))).arrayBuffer())
    assert.equal(zip.subarray(0, 2).toString('latin1'), 'PK')
  })

  test('as lines for a shell does the same', async () => {
    const { stdout } = await run('/bin/bash', ['-c', printedLines(world)])
    assert.match(stdout, /"status":"Cancelled"/)
    assert.match(stdout, /"kind":"action.cancelled"/)
  })
})

test(
  'the tour of a pretended host ends so too, over TLS, though what it collects takes its time there',
  {
    timeout,
  },
  async () => {
    const listen = `127.0.0.1:${await freePort()}`
    const serverFlags = ['--pretend', '--tls', 'auto', '--limits', 'read=100/1500']
    const address = { listen, url: `https://${listen}` }
    await withWorld({ embedded: true, serverFlags, address }, async (world) => {
      const { stdout } = await run(process.execPath, [
        join(sources, 'tour/main.ts'),
        '--data',
        world.dataFolder,
      ])
      assert.match(stdout, /^POST https:/m)
      assert.match(stdout, /it takes its time/)
      assert.match(stdout.trim().split('\n').at(-1) ?? '', /^\{"status":"Cancelled","proof":"reverted",/)
      const pasted = await run('/bin/bash', ['-c', printedLines(world)])
      assert.match(pasted.stdout, /"kind":"action.cancel_requested"/)
    })
  },
)
