import { lex, type Token } from './lex.ts'
import {
  brief,
  matches,
  operators,
  wrong,
  type Literal,
  type Match,
  type Name,
  type Operand,
  type Operator,
  type Tree,
} from './tree.ts'

/** Conditions in one filter. Clients join a few for each of a hundred machines (`wire.md` 7). */
export const mostTerms = 500
/** Brackets, `not` and `any` within each other. */
export const deepest = 32
/** Values of one `in`. */
export const longestList = 1_000

interface Reading {
  readonly tokens: readonly Token[]
  next: number
  terms: number
  depth: number
}

/**
 * The text of a `$filter` → its tree. Words are taken in any case (`wire.md` 1.6).
 * @throws Refusal ODataError, with the position
 */
export function parseFilter(text: string): Tree {
  const reading: Reading = { tokens: lex(text), next: 0, terms: 0, depth: 0 }
  const tree = parseOr(reading)
  const rest = peek(reading)
  if (rest.kind !== 'end') throw unexpected(rest, 'and, or, or the end')
  return tree
}

const end: Token = { kind: 'end', value: '', at: 1 }
const peek = ({ tokens, next }: Reading, ahead = 0): Token => tokens[next + ahead] ?? tokens.at(-1) ?? end

function take(reading: Reading): Token {
  const token = peek(reading)
  reading.next += 1
  return token
}

function unexpected(token: Token, wanted: string): Error {
  const found = token.kind === 'end' ? 'the end' : `'${brief(String(token.value))}'`
  return wrong(`${wanted} is expected, not ${found}`, token.at)
}

const isWord = (token: Token, word: string): boolean =>
  token.kind === 'name' && token.value.toLowerCase() === word
const isSign = (token: Token, sign: string): boolean => token.kind === 'sign' && token.value === sign

function takeSign(reading: Reading, sign: string): void {
  const token = take(reading)
  if (!isSign(token, sign)) throw unexpected(token, `'${sign}'`)
}

const parseOr = (reading: Reading): Tree => parseJoined(reading, 'or', parseAnd)
const parseAnd = (reading: Reading): Tree => parseJoined(reading, 'and', parsePart)

/** As one list and not as pairs within pairs: what is long need not be deep. */
function parseJoined(reading: Reading, word: 'and' | 'or', parse: (reading: Reading) => Tree): Tree {
  const first = parse(reading)
  const parts = [first]
  while (isWord(peek(reading), word)) {
    take(reading)
    parts.push(parse(reading))
  }
  return parts.length === 1 ? first : { kind: word, parts }
}

function deeper<T>(reading: Reading, parse: (reading: Reading) => T): T {
  reading.depth += 1
  if (reading.depth > deepest) throw wrong(`It is nested deeper than ${deepest}`, peek(reading).at)
  const parsed = parse(reading)
  reading.depth -= 1
  return parsed
}

function parsePart(reading: Reading): Tree {
  const token = peek(reading)
  if (isWord(token, 'not')) {
    take(reading)
    return { kind: 'not', part: deeper(reading, parsePart) }
  }
  if (isSign(token, '(')) {
    take(reading)
    const tree = deeper(reading, parseOr)
    takeSign(reading, ')')
    return parseTruth(reading, tree)
  }
  reading.terms += 1
  if (reading.terms > mostTerms) throw wrong(`There are more than ${mostTerms} conditions`, token.at)
  if (token.kind === 'name' && isSign(peek(reading, 1), '(') && !isWord(token, 'in'))
    return parseTruth(reading, parseMatch(reading))
  if (token.kind === 'name' && isSign(peek(reading, 1), '/')) return parseTruth(reading, parseAny(reading))
  return parseComparison(reading)
}

/** `startswith(…) eq true`, as generated queries have it. */
function parseTruth(reading: Reading, tree: Tree): Tree {
  const operator = peek(reading)
  const truth = peek(reading, 1)
  if (truth.kind !== 'truth' || !(isWord(operator, 'eq') || isWord(operator, 'ne'))) return tree
  reading.next += 2
  return isWord(operator, 'eq') === truth.value ? tree : { kind: 'not', part: tree }
}

function parseMatch(reading: Reading): Tree {
  const called = take(reading)
  const how = matches.find((each) => isWord(called, each)) satisfies Match | undefined
  if (how === undefined)
    throw wrong(
      `The function ${brief(String(called.value))} is not known; ${matches.join(', ')} are`,
      called.at,
    )
  takeSign(reading, '(')
  const name = parseName(reading)
  takeSign(reading, ',')
  const text = parseLiteral(reading)
  takeSign(reading, ')')
  return { kind: 'match', how, name, text }
}

function parseAny(reading: Reading): Tree {
  const name = parseName(reading)
  takeSign(reading, '/')
  const any = take(reading)
  if (!isWord(any, 'any')) throw unexpected(any, 'any')
  takeSign(reading, '(')
  if (isSign(peek(reading), ')')) {
    take(reading)
    return { kind: 'any', name, variable: '', where: null }
  }
  const variable = parseName(reading).value
  takeSign(reading, ':')
  const where = deeper(reading, parseOr)
  takeSign(reading, ')')
  return { kind: 'any', name, variable, where }
}

function parseComparison(reading: Reading): Tree {
  const left = parseOperand(reading)
  const token = take(reading)
  if (isWord(token, 'in')) {
    if (left.kind !== 'name') throw wrong('Before in the name of a field is expected', left.at)
    return { kind: 'in', name: left, list: parseList(reading) }
  }
  const operator = operators.find((each) => isWord(token, each)) satisfies Operator | undefined
  if (operator === undefined) throw unexpected(token, `${operators.join(', ')} or in`)
  return { kind: 'compare', operator, left, right: parseOperand(reading), at: token.at }
}

function parseList(reading: Reading): readonly Literal[] {
  takeSign(reading, '(')
  const list = [parseLiteral(reading)]
  while (isSign(peek(reading), ',')) {
    const { at } = take(reading)
    if (list.length === longestList) throw wrong(`The list has more than ${longestList} values`, at)
    list.push(parseLiteral(reading))
  }
  takeSign(reading, ')')
  return list
}

function parseName(reading: Reading): Name {
  const token = take(reading)
  if (token.kind !== 'name') throw unexpected(token, 'a name')
  return token
}

function parseLiteral(reading: Reading): Literal {
  const token = take(reading)
  if (token.kind === 'name' || token.kind === 'sign' || token.kind === 'end')
    throw unexpected(token, 'a value')
  return token
}

function parseOperand(reading: Reading): Operand {
  const token = take(reading)
  if (token.kind === 'sign' || token.kind === 'end') throw unexpected(token, 'a name or a value')
  return token
}

export interface OrderTerm {
  readonly name: Name
  readonly descends: boolean
}

/** Keys of one `$orderby`. */
export const mostKeys = 8

/** The text of an `$orderby`. @throws Refusal ODataError, with the position */
export function parseOrder(text: string): readonly OrderTerm[] {
  const reading: Reading = { tokens: lex(text), next: 0, terms: 0, depth: 0 }
  const terms: OrderTerm[] = []
  for (;;) {
    const name = parseName(reading)
    if (terms.length === mostKeys) throw wrong(`There are more than ${mostKeys} keys`, name.at)
    const descends = isWord(peek(reading), 'desc')
    if (descends || isWord(peek(reading), 'asc')) take(reading)
    terms.push({ name, descends })
    const token = take(reading)
    if (token.kind === 'end') return terms
    if (!isSign(token, ',')) throw unexpected(token, "asc, desc, ',' or the end")
  }
}

/** The text of a `$select`: names, or `*`, which is none. @throws Refusal ODataError, with the position */
export function parseSelect(text: string): readonly Name[] {
  if (text.trim() === '*') return []
  const reading: Reading = { tokens: lex(text), next: 0, terms: 0, depth: 0 }
  const names: Name[] = []
  for (;;) {
    names.push(parseName(reading))
    const token = take(reading)
    if (token.kind === 'end') return names
    if (!isSign(token, ',')) throw unexpected(token, "',' or the end")
  }
}
