import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readShebang, UnrunnableScript } from './shebang.ts'

const read = (text: string) => readShebang(Buffer.from(text))

test.each([
  ['#!/bin/sh\necho', '/bin/sh', null],
  ['#! \t/bin/sh \t\n', '/bin/sh', null],
  ['#!/usr/bin/env -S python3  -u \n', '/usr/bin/env', '-S python3  -u'],
  ['#!/usr/bin/awk\t-f\n', '/usr/bin/awk', '-f'],
  ['#!bin/sh -x\n', 'bin/sh', '-x'],
  ['#!/bin/sh\nnot this\r\n', '/bin/sh', null],
])('the interpreter and at most one argument are read from %j', (text, interpreter, argument) => {
  expect(read(text)).toEqual({ interpreter, argument })
})

test.each(['', 'echo hello\n', '# !/bin/sh\n', ' #!/bin/sh\n', 'echo', '#'])(
  '%j asks for no interpreter',
  (text) => {
    expect(read(text)).toBe(null)
  },
)

test.each([
  ['#!/bin/sh\r\necho\r\n', "The script's first line ends in a carriage return (Windows line ending)"],
  ['echo one\r\necho two\r\n', "The script's first line ends in a carriage return (Windows line ending)"],
  ['#!/bin/sh', 'has no end'],
  ['#!\n', 'names no interpreter'],
  ['#!  \t \n', 'names no interpreter'],
  [`#!/bin/sh ${'x'.repeat(246)}\n`, 'longer than 255 bytes'],
  [`#!/bin/sh ${'x'.repeat(300)}`, 'longer than 255 bytes'],
  ['\u007fELF\u0002\u0001', 'a program (ELF)'],
  ['#!/bin/sh\0\n', 'NUL bytes'],
  ['\u0089PNG\0\n', 'NUL bytes'],
  ['\ufeff#!/bin/sh\n', 'byte order mark'],
])('%j is refused in plain words', (text, why) => {
  expect(() => read(text)).toThrow(UnrunnableScript)
  expect(() => read(text)).toThrow(why)
})

test('a first line of 255 bytes is the longest, and UTF-16 or other bytes are refused', () => {
  expect(read(`#!/bin/sh ${'x'.repeat(245)}\n`)?.argument).toHaveLength(245)
  expect(() => readShebang(Buffer.from('#!/bin/sh\n', 'utf16le'))).toThrow('NUL bytes')
  expect(() => readShebang(Buffer.from('#!/bin/\xff\n', 'latin1'))).toThrow('not UTF-8')
})

test.skipIf(process.platform !== 'linux')('the kernel reads it the same way', () => {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-shebang-'))
  try {
    const interpreter = join(folder, 'print')
    copyFileSync('/bin/echo', interpreter)
    for (const line of [`#!${interpreter}`, `#! \t${interpreter} \t a "b"  c \t `, `#!${interpreter}\t-x`]) {
      const script = join(folder, 'script')
      writeFileSync(script, `${line}\n`)
      chmodSync(script, 0o700)
      const { argument } = read(`${line}\n`) ?? {}
      const expected = [...(argument ? [argument] : []), script, 'last'].join(' ')
      expect(execFileSync(script, ['last'], { encoding: 'utf8' })).toBe(`${expected}\n`)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})
