/** What `docs/clients.md` has printed. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../architecture/tree.ts'

/** The blocks of code below a heading, in their order. */
export function recipes(heading: string): readonly string[] {
  const text = readFileSync(join(root, 'docs/clients.md'), 'utf8')
  const section = text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  const blocks = [...section.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code)
  assert.ok(blocks.length > 0, `docs/clients.md has no recipe "${heading}"`)
  return blocks
}

/** The first of them. */
export const recipe = (heading: string): string => recipes(heading)[0] ?? ''
