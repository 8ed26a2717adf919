/** The README in Arabic says as much as the one in English. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { root } from './architecture/tree.ts'

const read = (name: string): string => readFileSync(join(root, name), 'utf8')
const codeOf = (text: string): string[] => text.match(/^ *```[\s\S]*?^ *```$/gm) ?? []
/** How deep each heading is, in order. */
const sectionsOf = (text: string): number[] =>
  (text.match(/^#{2,} /gm) ?? []).map((signs) => signs.length - 1)
const inCode = (text: string): string[] => text.match(/`[^`]+`/g) ?? []
/** Of each row of a table what its first cell has in code: that is not translated. */
const rowsOf = (text: string): string[][] =>
  (text.match(/^\|.*$/gm) ?? []).map((row) => inCode(row.split('|')[1] ?? ''))
/** Documents that it leads to. */
const linksOf = (text: string): string[] =>
  [
    // A page that is there in Arabic too is the same page.
    ...new Set(
      (text.match(/\]\(([\w./-]+\.md)\)/g) ?? [])
        .filter((link) => !link.includes('README'))
        .map((link) => link.replace('.ar.md', '.md')),
    ),
  ].toSorted()

test('README.ar.md has the sections of README.md, its tables row by row, its links, and its code to the letter', () => {
  const [english, arabic] = [read('README.md'), read('README.ar.md')]
  assert.deepEqual(sectionsOf(arabic), sectionsOf(english))
  assert.deepEqual(rowsOf(arabic), rowsOf(english))
  assert.deepEqual(linksOf(arabic), linksOf(english))
  assert.deepEqual(codeOf(arabic), codeOf(english))
})

test('each links to the other', () => {
  assert.ok(read('README.md').includes('](README.ar.md)'))
  assert.ok(read('README.ar.md').includes('](README.md)'))
})
