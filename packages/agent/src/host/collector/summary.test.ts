import { expect, test } from 'vitest'
import { packageItems } from './items/index.ts'
import { progressOf } from './progress.ts'
import { summaryOf, type PackageFacts } from './summary.ts'
import { wordMeanings, wordsText } from './words.ts'

const facts: PackageFacts = {
  hostName: 'web-1',
  system: 'Debian 12',
  agentVersion: '1.2.3',
  actionId: 'an-id',
  startedAt: '2026-01-02T03:04:05Z',
  endedAt: '2026-01-02T03:05:05Z',
}
const items = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name, title: `Item ${name}`, ways: [] }))
const table = [
  'number\tname\tfile\tcommand\tstarted\tmilliseconds\tstatus\toutcome',
  '1\ta\t01-a.txt\tcat a\t2026-01-02T03:04:05Z\t1230\t0\tok',
  '2\tb\t\t\t2026-01-02T03:04:06Z\t\t\tnot on this host: b or c',
  '3\tc\t03-c.txt\tsleep 30\t2026-01-02T03:04:07Z\t20010\t137\ttimed out after 20 s',
  '4\td\t04-d.txt\tfalse\t2026-01-02T03:04:27Z\t10\t1\tfailed (status 1)',
  '',
].join('\n')

test('a summary lists every item with file, command, time and outcome, and counts them', () => {
  const { text, json } = summaryOf(table, facts, items)
  expect(text.split('\n').slice(0, 13)).toEqual([
    'Investigation package',
    '',
    'Host       web-1 (Debian 12)',
    'Collected  2026-01-02T03:04:05Z to 2026-01-02T03:05:05Z',
    'By         Countermand agent 1.2.3, action an-id',
    'Items      5: 1 ok, 1 failed, 1 timed out, 1 not on this host, 1 not reached',
    '',
    '#  Item  File      Seconds  Outcome                   Command',
    '1  a     01-a.txt  1.23     ok                        cat a',
    '2  b     -         -        not on this host: b or c  -',
    '3  c     03-c.txt  20.01    timed out after 20 s      sleep 30',
    '4  d     04-d.txt  0.01     failed (status 1)         false',
    '5  e     -         -        not reached               -',
  ])
  expect(JSON.parse(json)).toMatchObject({
    ...facts,
    counts: { ok: 1, cut: 0, failed: 1, 'timed out': 1, 'not on this host': 1, 'not reached': 1 },
    items: [
      { number: 1, name: 'a', file: '01-a.txt', command: 'cat a', durationMs: 1230, status: 0, kind: 'ok' },
      { number: 2, name: 'b', file: null, command: null, durationMs: null, status: null },
      { number: 3, kind: 'timed out' },
      { number: 4, kind: 'failed' },
      { number: 5, kind: 'not reached', startedAt: null },
    ],
  })
})

test('without a table, and with one that was cut in the middle of a line, every item is there', () => {
  for (const cut of ['', table.slice(0, 20), table.slice(0, -30)]) {
    const { outcomes } = summaryOf(cut, facts, items)
    expect(outcomes.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(outcomes.at(-1)?.kind).toBe('not reached')
  }
})

test('progress is the share of the items that are done', () => {
  expect(progressOf('')).toBeNull()
  expect(progressOf('1/4 a\n')).toEqual({ share: 0, line: '1/4 a' })
  expect(progressOf('1/4 a\n2/4 b\n3/4 c\n')).toEqual({ share: 0.5, line: '3/4 c' })
  expect(progressOf('1/4 a\n2/4 b\n3/4 half-a-na')).toEqual({ share: 0.25, line: '2/4 b' })
})

test('items have names of their own, and commands that fit in a line of the table', () => {
  expect(new Set(packageItems.map(({ name }) => name)).size).toBe(packageItems.length)
  for (const { name, ways } of packageItems) {
    expect(name).toMatch(/^[a-z][a-z-]*$/)
    for (const { command } of ways) expect(command).not.toMatch(/[\t\n]/)
  }
})

test('every word of a command that is no program is explained, and the other way round', () => {
  const used = new Set(
    packageItems.flatMap(({ ways }) => ways.flatMap(({ command }) => command.split(/[\s;|&]+/))),
  )
  const defined = [...wordsText.matchAll(/^(\w+)\(\) \{/gm)].flatMap(([, word = '']) => word)
  const explained = wordMeanings.map(([word]) => word)
  expect(explained.toSorted()).toEqual(defined.filter((word) => used.has(word)).toSorted())
})
