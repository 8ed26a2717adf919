/** A playbook is recorded, played again, and what is answered otherwise is named; no secret is kept. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { root } from '../architecture/tree.ts'
import { openStage, type Stage } from './stage.ts'

const timeout = 120_000
const commands = { Commands: [{ type: 'RunScript', params: [{ key: 'ScriptName', value: 'book.sh' }] }] }

describe('a recording', { timeout }, () => {
  let stage: Stage
  let file: string
  const folder = mkdtempSync(join(tmpdir(), 'countermand-recording-'))
  beforeAll(async () => {
    file = join(folder, 'book.jsonl')
    stage = await openStage(2, ['--steady', '--speed', '100', '--record', file], {
      COUNTERMAND_LIMITS: 'read=-/-',
    })
    await playbook(stage)
  }, timeout)
  afterAll(async () => {
    await stage?.close()
    rmSync(folder, { recursive: true })
  }, timeout)

  const replay = async (path: string): Promise<{ status: number; output: string }> => {
    const main = join(root, 'rehearse/replay/main.ts')
    const args = [main, path, '--data', stage.folder, '--patience', '15']
    return promisify(execFile)(process.execPath, args).then(
      ({ stdout }) => ({ status: 0, output: stdout }),
      (thrown: { code: number; stdout: string; stderr: string }) => ({
        status: thrown.code,
        output: thrown.stdout + thrown.stderr,
      }),
    )
  }

  test('keeps what a playbook says and hears, and no secret', () => {
    const text = readFileSync(file, 'utf8')
    const { clientSecret } = JSON.parse(readFileSync(join(stage.folder, 'server/credentials.json'), 'utf8'))
    assert.ok(!text.includes(clientSecret), 'the secret')
    assert.ok(!/eyJ[\w-]+\.eyJ/.test(text), 'a token')
    assert.ok(!/\/download\/[^*]/.test(text), 'a link')
    assert.ok(!text.includes('/device/'), 'what devices say')
    for (const part of ['/runliveresponse', '/cancel', '"access_token', 'ws-0001'])
      assert.ok(text.includes(part), part)
  })

  test('is answered as it was', async () => {
    const { status, output } = await replay(file)
    assert.equal(status, 0, output)
    expect(output).toMatch(/^\d+ requests played, 0 answered otherwise/m)
  })

  test('names what is answered otherwise', async () => {
    const other = join(folder, 'other.jsonl')
    const lines = readFileSync(file, 'utf8').split('\n')
    const index = lines.findIndex((line) => line.includes('/cancel'))
    lines[index] = (lines[index] ?? '').replaceAll('Cancelled', 'Succeeded')
    writeFileSync(other, lines.join('\n'))
    const { status, output } = await replay(other)
    assert.equal(status, 1, output)
    expect(output).toMatch(
      /POST \/api\/machineactions\/[0-9a-f-]+\/cancel .*DIFFERENT\n +status: recorded "Succeeded", now "Cancelled"/,
    )
    expect(output).toMatch(/, 1 answered otherwise/)
  })

  test.each([
    ['of a file that is not there', 'none.jsonl', /There is no file/],
    ['of something else', 'package.json', /Line 1 of .* is no line of a recording/],
  ])('a replay %s is refused in words', async (_, name, words) => {
    const path = name === 'package.json' ? join(root, name) : join(folder, name)
    const { status, output } = await replay(path)
    assert.equal(status, 2, output)
    expect(output).toMatch(words)
  })
})

/** One action to its end with its result, one taken back, and one that is refused. */
async function playbook(stage: Stage): Promise<void> {
  const { api } = stage
  const form = new FormData()
  form.set('file', new File(['echo book\n'], 'book.sh'))
  form.set('OverrideIfExists', 'true')
  await api.ask('POST', '/api/libraryfiles', form)
  const first = await stage.issue('ws-0001', 'runliveresponse', { ...commands, Comment: 'the book' })
  await api.untilOver(first.id)
  assert.equal((await api.result(first.id)).script_name, 'book.sh')
  const second = await stage.issue('ws-0002', 'runliveresponse', { ...commands, Comment: 'times-out' })
  await api.untilAction(second.id, 'running', ({ status }) => status === 'InProgress')
  assert.equal((await api.cancel(second.id)).action.status, 'Cancelled')
  assert.equal((await api.cancel(second.id, 'once more')).status, 400)
}
