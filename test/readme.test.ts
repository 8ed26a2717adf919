/** The README in Arabic says as much as the one in English. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { root } from './architecture/tree.ts'

const read = (name: string): string => readFileSync(join(root, name), 'utf8')
const codeOf = (text: string): string[] => text.match(/^ *```[\s\S]*?^ *```$/gm) ?? []
const sectionsOf = (text: string): number => text.match(/^## /gm)?.length ?? 0

test('README.ar.md has the sections of README.md, and its code to the letter', () => {
  const [english, arabic] = [read('README.md'), read('README.ar.md')]
  assert.equal(sectionsOf(arabic), sectionsOf(english))
  assert.deepEqual(codeOf(arabic), codeOf(english))
})

test('each links to the other', () => {
  assert.ok(read('README.md').includes('](README.ar.md)'))
  assert.ok(read('README.ar.md').includes('](README.md)'))
})
