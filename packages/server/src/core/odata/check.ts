/** Tree + whitelist → condition: every name is one of the list, every value is of its field's type. */
import type { OrderTerm } from './parse.ts'
import {
  brief,
  inLowerCase,
  wrong,
  type Condition,
  type Fields,
  type FieldType,
  type Literal,
  type Name,
  type Operand,
  type Operator,
  type OrderKey,
  type Tree,
  type Value,
} from './tree.ts'

/** Names that may be used, and the one that `any` has given to its element. */
interface Scope {
  readonly fields: Fields
  readonly variable: string | null
}

interface Found {
  readonly field: string | null
  readonly type: FieldType
}

/** @throws Refusal ODataError, with the position: an unknown field, or a value of another type */
export const checkFilter = (tree: Tree, fields: Fields): Condition => check(tree, { fields, variable: null })

function check(tree: Tree, scope: Scope): Condition {
  switch (tree.kind) {
    case 'and':
    case 'or':
      return { kind: tree.kind, parts: tree.parts.map((part) => check(part, scope)) }
    case 'not':
      return { kind: 'not', part: check(tree.part, scope) }
    case 'compare':
      return checkComparison(tree, scope)
    case 'in': {
      const found = findOne(tree.name, scope)
      return { kind: 'in', ...found, values: tree.list.map((literal) => valueOf(literal, found)) }
    }
    case 'match': {
      const found = findOne(tree.name, scope)
      const value = valueOf(tree.text, found)
      if (typeof value !== 'string') throw wrong(`${tree.how} looks for a text in a text`, tree.text.at)
      return { kind: 'match', how: tree.how, ...found, value }
    }
    case 'any': {
      const { field, type } = find(tree.name, scope)
      if (field === null || type !== 'texts')
        throw wrong(`${brief(tree.name.value)} is no list to look into with any`, tree.name.at)
      if (scope.variable !== null) throw wrong('There is any within any', tree.name.at)
      const where = tree.where && check(tree.where, { ...scope, variable: tree.variable })
      return { kind: 'any', field, where }
    }
  }
}

const turned: Readonly<Record<Operator, Operator>> = {
  eq: 'eq',
  ne: 'ne',
  gt: 'lt',
  ge: 'le',
  lt: 'gt',
  le: 'ge',
}

function checkComparison(tree: Tree & { readonly kind: 'compare' }, scope: Scope): Condition {
  const { operator, left, right, at } = tree
  if (left.kind === 'name' && right.kind !== 'name') return compare(left, operator, right, scope)
  if (left.kind !== 'name' && right.kind === 'name') return compare(right, turned[operator], left, scope)
  if (right.kind === 'name')
    throw wrong(`A value is expected, not ${brief(right.value)}; a text is in quotes, 'x'`, right.at)
  throw wrong('A field is compared with a value, not a value with a value', at)
}

function compare(name: Name, operator: Operator, literal: Literal, scope: Scope): Condition {
  const found = findOne(name, scope)
  return { kind: 'compare', operator, ...found, value: valueOf(literal, found) }
}

function find(name: Name, { fields, variable }: Scope): Found {
  const wanted = name.value.toLowerCase()
  if (variable !== null && wanted === variable.toLowerCase()) return { field: null, type: 'text' }
  for (const [field, type] of Object.entries(fields))
    if (field.toLowerCase() === wanted) return { field, type }
  throw wrong(
    `There is no field '${brief(name.value)}' here; there are ${Object.keys(fields).join(', ')}`,
    name.at,
  )
}

function findOne(name: Name, scope: Scope): Found {
  const found = find(name, scope)
  if (found.type === 'texts')
    throw wrong(`${found.field} is a list: ${found.field}/any(t: t eq 'x')`, name.at)
  return found
}

const wanted: Readonly<Record<FieldType, string>> = {
  text: "a text in quotes, 'x'",
  word: "a text in quotes, 'x'",
  number: 'a number',
  time: 'a time without quotes, 2026-02-03T04:05:06Z',
  texts: 'a list',
}

function valueOf(literal: Operand & Literal, { field, type }: Found): Value {
  const { kind, value } = literal
  if (kind === 'null') return null
  switch (type) {
    case 'text':
      if (kind === 'text' || kind === 'guid') return value
      break
    case 'word':
      if (kind === 'text' || kind === 'guid') return inLowerCase(value)
      break
    case 'number':
      if (kind === 'number') return value
      // The reference calls the one that there is a text, and sends a number (`wire.md` 12.1).
      if (kind === 'text' && /^-?\d{1,15}$/.test(value)) return Number(value)
      break
    case 'time':
      if (kind === 'time') return value
      break
    case 'texts':
      break
  }
  throw wrong(`For ${field ?? 'the element'} ${wanted[type]} is expected`, literal.at)
}

/** @throws Refusal ODataError, with the position: an unknown field, or a list */
export const checkOrder = (terms: readonly OrderTerm[], fields: Fields): readonly OrderKey[] =>
  terms.map(({ name, descends }) => {
    const { field, type } = findOne(name, { fields, variable: null })
    return { field: field ?? '', type, descends }
  })

/** The keys of an entity that were selected, in its own order. @throws Refusal ODataError, with the position */
export function checkSelect(names: readonly Name[], keys: readonly string[]): readonly string[] {
  const selected = new Set<string>()
  for (const name of names) {
    const key = keys.find((each) => each.toLowerCase() === name.value.toLowerCase())
    if (key === undefined) throw wrong(`There is no '${brief(name.value)}' to select`, name.at)
    selected.add(key)
  }
  return keys.filter((key) => selected.has(key))
}
