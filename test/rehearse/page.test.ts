/** `docs/rehearse.md`, word by word, and in Arabic the same words. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { scenarioNames } from '../../packages/agent/src/pretend/scenarios.ts'
import { root } from '../architecture/tree.ts'
import { openStage, type Stage } from './stage.ts'

const timeout = 120_000
const pages = ['docs/rehearse.md', 'docs/rehearse.ar.md'].map((path) =>
  readFileSync(join(root, path), 'utf8'),
)
const [english = '', arabic = ''] = pages

const sections = (page: string): readonly string[] => page.split(/^## /m)
const blocksOf = (text: string): readonly string[] =>
  [...text.matchAll(/```\w+\n([\s\S]*?)```/g)].map(([, block = '']) => block)
/** The names in the first column of a section's table. */
const wordsIn = (text: string): readonly string[] =>
  [...text.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name = '']) => name)

/** How many rows the tables of each section have. */
const races = (page: string): readonly number[] =>
  sections(page).map((text) => text.match(/^\|/gm)?.length ?? 0)

test.each([
  ['English', english],
  ['Arabic', arabic],
])('%s names every scenario, and no other', (_, page) => {
  const table = sections(page).find((text) => text.includes('| `slow` |')) ?? ''
  assert.deepEqual(wordsIn(table).toSorted(), [...scenarioNames].toSorted())
})

test('what is to be pasted is the same in both languages, and so is every race', () => {
  assert.deepEqual(blocksOf(english), blocksOf(arabic))
  assert.deepEqual(races(english), races(arabic))
})

describe('followed', { timeout }, () => {
  let stage: Stage
  const folder = mkdtempSync(join(tmpdir(), 'countermand-page-'))
  beforeAll(async () => {
    stage = await openStage(1, ['--steady'])
    symlinkSync(stage.folder, join(folder, 'rehearsal'))
  }, timeout)
  afterAll(async () => {
    await stage?.close()
    rmSync(folder, { recursive: true })
  }, timeout)

  test('it leads to an action that passes through every state', async () => {
    const [, , here = '', see = ''] = sections(english)
    assert.match(here, /^Point your client here/)
    const script = [...blocksOf(here), ...blocksOf(see)].join('\n')
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { cwd: folder })
    assert.deepEqual(stdout.trim().split('\n'), [
      'InProgress',
      'Cancelled',
      ...[
        'requested',
        'offered',
        'started',
        'cancel_requested',
        'cancel_sent',
        'cancel_acknowledged',
        'cancelled',
      ].map((kind) => `action.${kind}`),
    ])
  })
})
