import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { Refusal } from '../errors.ts'
import { checkFilter, checkOrder, checkSelect } from './check.ts'
import { compareBy, compareValues, evaluate, type Look } from './evaluate.ts'
import { longestText } from './lex.ts'
import { deepest, longestList, mostKeys, mostTerms, parseFilter, parseOrder, parseSelect } from './parse.ts'
import type { Fields } from './tree.ts'

const fields: Fields = {
  id: 'word',
  status: 'word',
  requestor: 'text',
  created: 'time',
  group: 'number',
  tags: 'texts',
  note: 'text',
}
const row: Readonly<Record<string, ReturnType<Look>>> = {
  id: '7c1f2b0e-93aa-4f0d-8b55-0d6c0f6d1a01',
  status: 'Succeeded',
  requestor: "O'Brien",
  created: Date.parse('2026-02-03T04:05:06.123Z'),
  group: 7,
  tags: ['blue', 'Red'],
  note: null,
}
const look: Look = (field) => row[field] ?? null
const holds = (text: string): boolean => evaluate(checkFilter(parseFilter(text), fields), look)

function refusalOf(work: () => unknown): string {
  try {
    work()
  } catch (thrown) {
    assert.ok(thrown instanceof Refusal, String(thrown))
    assert.equal(thrown.code, 'ODataError')
    return thrown.message
  }
  return 'it was taken'
}
const whyNot = (text: string): string => refusalOf(() => checkFilter(parseFilter(text), fields))

const many = (count: number) => Array.from({ length: count }, () => 'group eq 1').join(' or ')

const listed = (count: number) => `group in (${Array.from({ length: count }, () => '1').join(',')})`

describe('a filter that is refused says what is wrong, and where', () => {
  test.each([
    ['', /a name or a value is expected, not the end \(at position 1\)/],
    ['   ', /position 4/],
    ['status', /eq, ne, gt, ge, lt, le or in is expected, not the end \(at position 7\)/],
    ['status eq', /position 10/],
    ["status = 'x'", /'=' is not understood \(at position 8\)/],
    ["status eq 'x", /no closing quote \(at position 11\)/],
    ["status eq 'x''", /no closing quote \(at position 11\)/],
    ["status eq 'x' status eq 'y'", /not 'status' \(at position 15\)/],
    ["status eq 'x' and", /position 18/],
    ["(status eq 'x'", /'\)' is expected, not the end \(at position 15\)/],
    ["status eq 'x')", /position 14/],
    ["nothing eq 'x'", /no field 'nothing' here.* \(at position 1\)/],
    ["status eq 'x' and nothing eq 'x'", /no field 'nothing' here.* \(at position 19\)/],
    ["constructor eq 'x'", /no field 'constructor'/],
    ["__proto__ eq 'x'", /no field '__proto__'/],
    ['status eq Succeeded', /a text is in quotes.*\(at position 11\)/],
    ['status eq 1', /For status a text in quotes.*\(at position 11\)/],
    ["group eq 'x'", /For group a number.*\(at position 10\)/],
    ["created ge '2026-02-03T00:00:00Z'", /For created a time without quotes.*\(at position 12\)/],
    ['status eq true', /For status a text/],
    ["'x' eq 'y'", /not a value with a value \(at position 5\)/],
    ['created ge 2026-02-30', /no time 2026-02-30 \(at position 12\)/],
    ['created ge 2026-13-01', /no time/],
    ['created ge 2026-02-03T24:00:00Z', /no time/],
    ['created ge 2026-02-03T04:05:06%2B15:00', /position 31/],
    ["status in 'x'", /'\(' is expected.*\(at position 11\)/],
    ['status in ()', /a value is expected.*\(at position 12\)/],
    ["status in ('x',)", /position 16/],
    ["'x' in ('x')", /Before in the name of a field is expected/],
    ["tolower(status) eq 'x'", /function tolower is not known.*\(at position 1\)/],
    ["startswith('x', status)", /a name is expected, not 'x' \(at position 12\)/],
    ['startswith(status, 1)', /position 20/],
    ['startswith(status, null)', /position 20/],
    ["startswith(created, '2')", /For created a time/],
    ["tags eq 'blue'", /tags is a list: tags\/any/],
    ["tags/all(t: t eq 'x')", /any is expected, not 'all' \(at position 6\)/],
    ["status/any(t: t eq 'x')", /status is no list/],
    ["tags/any(t: tags/any(u: u eq 'x'))", /any within any \(at position 13\)/],
    ["tags/any(t: u eq 'x')", /no field 'u' here/],
    ["tags/any(t: t eq 'x') and t eq 'x'", /no field 't' here.*\(at position 27\)/],
    ["status eq '\0'", /NUL.*\(at position 12\)/],
    ['status eq 1234567890123456789', /'1' is not understood/],
  ])('%s', (text, pattern) => assert.match(whyNot(text), pattern))

  test('a text that is too long', () => {
    assert.match(whyNot('x'.repeat(longestText + 1)), /longer than 16384 characters/)
    assert.match(whyNot(`status eq '${'x'.repeat(longestText - 12)}'`), /^it was taken$/)
  })

  test('too many conditions', () => {
    assert.match(whyNot(many(mostTerms + 1)), /more than 500 conditions/)
    assert.equal(whyNot(many(mostTerms)), 'it was taken')
  })

  test.each([
    ['brackets', '(', 'group eq 1', ')'],
    ['not', 'not ', 'group eq 1', ''],
  ])('%s too deep', (_, open, inner, close) => {
    const of = (depth: number) => open.repeat(depth) + inner + close.repeat(depth)
    assert.match(whyNot(of(deepest + 1)), /nested deeper than 32/)
    assert.equal(whyNot(of(deepest)), 'it was taken')
    assert.match(whyNot(of(1_000)), /nested deeper than 32/)
  })

  test('a list that is too long', () => {
    assert.match(whyNot(listed(longestList + 1)), /more than 1000 values/)
    assert.equal(whyNot(listed(longestList)), 'it was taken')
  })
})

describe('a filter means', () => {
  test.each<readonly [text: string, expected: boolean]>([
    ["status eq 'Succeeded'", true],
    ["STATUS EQ 'succeeded'", true],
    ["Status Eq 'Failed'", false],
    ["'Succeeded' eq status", true],
    ["requestor eq 'O''Brien'", true],
    ["requestor eq 'o''brien'", false],
    ["status eq 'Nonsense'", false],
    ["status ne 'Nonsense'", true],
    ["status eq 'Succeeded'and group eq 7", true],
    ["status eq 'Succeeded' AND group eq 8", false],
    ["status eq 'Failed' Or group eq 7", true],
    // and binds closer than or.
    ["status eq 'Succeeded' or status eq 'x' and group eq 8", true],
    ["(status eq 'Succeeded' or status eq 'x') and group eq 8", false],
    ["not status eq 'x' and group eq 8", false],
    ["not (status eq 'x' and group eq 8)", true],
    ["NOT(status eq 'Succeeded')", false],
    ["not not status eq 'Succeeded'", true],
    ["status in ('Failed','succeeded')", true],
    ["status in('Failed')", false],
    ["status IN ( 'Failed' , 'Succeeded' ) and group in (7)", true],
    ['id eq 7C1F2B0E-93AA-4F0D-8B55-0D6C0F6D1A01', true],
    ["id in ('7C1F2B0E-93AA-4F0D-8B55-0D6C0F6D1A01')", true],
    ['group gt 6', true],
    ['group ge 7 and group le 7', true],
    ['7 lt group', false],
    ['6.5 lt group', true],
    ['group gt -1', true],
    ["group eq '7'", true],
    ['created ge 2026-02-03', true],
    ['created ge 2026-02-03Z', true],
    ['created lt 2026-02-03Z', false],
    ['created gt 2026-02-04', false],
    ['created eq 2026-02-03T04:05:06.123Z', true],
    ['created eq 2026-02-03T04:05:06.1230000Z', true],
    ['created eq 2026-02-03T04:05:06.1230001Z', false],
    ['created lt 2026-02-03T04:05:06.1230001Z', true],
    ['created eq 2026-02-03T04:05:06.123', true],
    ['created gt 2026-02-03T04:05Z', true],
    ['created eq 2026-02-03T06:05:06.123+02:00', true],
    // A plus that nobody escaped.
    ['created eq 2026-02-03T06:05:06.123 02:00', true],
    ['created eq 2026-02-03T02:35:06.123-01:30', true],
    ["startswith(status,'succ')", true],
    ["StartsWith(requestor, 'o')", false],
    ["startswith(requestor, '') and endswith(requestor, 'rien')", true],
    ["contains(requestor,'''B')", true],
    ["contains(requestor,'%')", false],
    ["startswith(status,'x') eq false", true],
    ["contains(status,'cc') ne true", false],
    ["startswith(note,'')", false],
    ["not startswith(note,'x')", true],
    ['note eq null', true],
    ['note ne null', false],
    ["note ne 'x'", true],
    ["note lt 'x'", false],
    ["not (note ge 'x')", true],
    ["note in ('x', null)", true],
    ['requestor gt null', false],
    ['status ne null', true],
    ["tags/any(t: t eq 'blue')", true],
    ["Tags/Any(x:X eq 'red')", false],
    ["tags/any(t:startswith(t,'b') and t ne 'black')", true],
    ["tags/any(status: status eq 'Succeeded')", false],
    ["tags/any(t: t in ('Red') or group eq 8)", true],
    ['tags/any()', true],
    ["not tags/any(t: t eq 'green')", true],
  ])('%s: %s', (text, expected) => assert.equal(holds(text), expected))
})

test('texts are ordered by code points, nulls first', () => {
  const ordered = [null, '', 'A', 'a', 'aa', 'ä', '\uffff', '😀']
  const sorted = ordered.toReversed().toSorted(compareValues)
  assert.deepEqual(sorted, ordered)
})

const keys = (text: string) => checkOrder(parseOrder(text), fields)

const select = (text: string) => checkSelect(parseSelect(text), ['id', 'type', 'status'])

describe('an order', () => {
  test('has keys, each ascending unless it says desc', () => {
    const order = keys('Status DESC,created asc , group')
    assert.deepEqual(
      order.map(({ field, descends }) => [field, descends]),
      [
        ['status', true],
        ['created', false],
        ['group', false],
      ],
    )
  })

  test('goes by the first key that differs', () => {
    const other: Look = (field) => (field === 'group' ? 8 : look(field))
    assert.ok(compareBy(keys('status desc,group'), look, other) < 0)
    assert.ok(compareBy(keys('status,group desc'), look, other) > 0)
    assert.equal(compareBy(keys('status'), look, other), 0)
  })

  test.each([
    ['', /a name is expected, not the end/],
    ['status down', /not 'down' \(at position 8\)/],
    ['status,', /position 8/],
    ['status desc desc', /position 13/],
    ['nothing', /no field 'nothing'/],
    ['tags', /tags is a list/],
    [Array.from({ length: mostKeys + 1 }, () => 'group').join(','), /more than 8 keys/],
  ])('%s is refused', (text, pattern) =>
    assert.match(
      refusalOf(() => keys(text)),
      pattern,
    ),
  )
})

describe('a selection', () => {
  test('is shown in the order of the entity, whatever order and case it was asked in', () => {
    assert.deepEqual(select('STATUS, id,status'), ['id', 'status'])
    assert.deepEqual(select('*'), [])
  })

  test.each([
    ['', /position 1/],
    ['id,', /position 4/],
    ['id status', /position 4/],
    ['nothing', /no 'nothing' to select \(at position 1\)/],
  ])('%s is refused', (text, pattern) =>
    assert.match(
      refusalOf(() => select(text)),
      pattern,
    ),
  )
})
