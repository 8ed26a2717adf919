/** `countermand-agent quarantine`, as somebody in front of the host uses it: a program of its own, without a server. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { needs } from '../../../../../test/needs.ts'
import { quarantineCommand, type Said } from './commands.ts'
import { openQuarantine } from './quarantine.ts'
import { inScratch, sha1Of } from './testing/scratch.ts'

const content = 'what is wanted\n'
const sha1 = sha1Of(content)
const main = join(import.meta.dirname, '../../main.ts')

/** A program of its own. */
function run(dataFolder: string, ...words: readonly string[]): Said {
  const args = [main, 'quarantine', ...words, '--data', dataFolder]
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
  return { status: status ?? -1, lines: stdout.trim().split('\n') }
}

test.skipIf(!needs('root'))('lists what was taken away, and puts it back', () =>
  inScratch(async ({ folder, near }) => {
    const dataFolder = join(folder, '..')
    const quarantine = openQuarantine({ folder })
    const ask = (...words: readonly string[]): Promise<Said> => quarantineCommand(quarantine, words)
    assert.deepEqual(await ask('list'), { status: 0, lines: ['Nothing is in quarantine.'] })
    const path = join(near, 'evil\nname')
    writeFileSync(path, content)
    const { id = '' } = (await quarantine.take(Buffer.from(path), { action: 'an action', sha1 })) ?? {}
    const [head, row, ...more] = run(dataFolder, 'list').lines
    assert.match(head ?? '', /^ID +TAKEN \(UTC\) +BYTES +STATE +SHA-1 +PATH$/)
    assert.match(row ?? '', new RegExp(`^${id}  \\S+  15 +kept +${sha1}  \\S+/evil\\\\u\\{a\\}name$`))
    assert.deepEqual(more, [])

    for (const [words, says] of [
      [[], /quarantine list, or countermand-agent quarantine restore ID/],
      [['restore'], /quarantine restore ID/],
      [['empty'], /quarantine list/],
      [['restore', '000000000000'], /Nothing in quarantine has the ID 000000000000/],
      [['restore', '../../etc'], /Nothing in quarantine has the ID/],
    ] as const) {
      const { status, lines } = await ask(...words)
      assert.equal(status, 1)
      assert.match(lines.join('\n'), says)
    }
    assert.equal(existsSync(path), false)

    writeFileSync(path, 'a stranger')
    const taken = await ask('restore', id)
    assert.equal(taken.status, 1)
    assert.match(taken.lines.join('\n'), /something else is there by now/)

    rmSync(path)
    const back = run(dataFolder, 'restore', id)
    assert.equal(back.status, 0)
    assert.match(back.lines.join('\n'), /evil\\u\{a\}name is back\.$/)
    assert.equal(readFileSync(path, 'utf8'), content)
    assert.deepEqual(readdirSync(folder), ['restored.log'])
    assert.equal(readFileSync(join(folder, 'restored.log'), 'utf8').trim().split('\n').length, 2)
  }),
)
