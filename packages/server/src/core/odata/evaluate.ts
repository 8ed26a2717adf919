/** What a condition means, without a database: the measure of the SQL that is made of it. */
import { inLowerCase, type Condition, type Match, type Operator, type OrderKey, type Value } from './tree.ts'

/** What a field holds; a `word` in any case, `texts` as a list. */
export type Look = (field: string) => Value | readonly string[]

export function evaluate(condition: Condition, look: Look, element: string | null = null): boolean {
  const of = (field: string | null, type: string): Value => {
    const held = field === null ? element : look(field)
    const value = typeof held === 'object' && held !== null ? null : held
    return type === 'word' && typeof value === 'string' ? inLowerCase(value) : value
  }
  switch (condition.kind) {
    case 'and':
      return condition.parts.every((part) => evaluate(part, look, element))
    case 'or':
      return condition.parts.some((part) => evaluate(part, look, element))
    case 'not':
      return !evaluate(condition.part, look, element)
    case 'compare':
      return holds(condition.operator, of(condition.field, condition.type), condition.value)
    case 'in':
      return condition.values.includes(of(condition.field, condition.type))
    case 'match': {
      const value = of(condition.field, condition.type)
      return typeof value === 'string' && isMatch(condition.how, value, condition.value)
    }
    case 'any': {
      const { where } = condition
      const held = look(condition.field)
      if (typeof held !== 'object' || held === null) return false
      return held.some((each) => where === null || evaluate(where, look, each))
    }
  }
}

function holds(operator: Operator, left: Value, right: Value): boolean {
  if (operator === 'eq') return left === right
  if (operator === 'ne') return left !== right
  if (left === null || right === null) return false
  const order = compareValues(left, right)
  switch (operator) {
    case 'gt':
      return order > 0
    case 'ge':
      return order >= 0
    case 'lt':
      return order < 0
    case 'le':
      return order <= 0
  }
}

function isMatch(how: Match, text: string, part: string): boolean {
  switch (how) {
    case 'startswith':
      return text.startsWith(part)
    case 'endswith':
      return text.endsWith(part)
    case 'contains':
      return text.includes(part)
  }
}

/** Less than 0 where the first comes first. Null comes before everything; texts go by code points, as UTF-8 does byte by byte. */
export function compareValues(left: Value, right: Value): number {
  if (left === right) return 0
  if (left === null) return -1
  if (right === null) return 1
  if (typeof left === 'number' && typeof right === 'number') return left - right
  return compareTexts(String(left), String(right))
}

function compareTexts(left: string, right: string): number {
  const theirs = right[Symbol.iterator]()
  for (const mine of left) {
    const { value, done } = theirs.next()
    if (done === true) return 1
    const difference = (mine.codePointAt(0) ?? 0) - (value.codePointAt(0) ?? 0)
    if (difference !== 0) return difference
  }
  return theirs.next().done === true ? 0 : -1
}

/** Less than 0 where the first comes first in this order; 0 where only the rest of the order decides. */
export function compareBy(order: readonly OrderKey[], left: Look, right: Look): number {
  for (const { field, type, descends } of order) {
    const [one, other] = [left, right].map((look): Value => {
      const held = look(field)
      const value = typeof held === 'object' && held !== null ? null : held
      return type === 'word' && typeof value === 'string' ? inLowerCase(value) : value
    })
    const difference = compareValues(one ?? null, other ?? null)
    if (difference !== 0) return descends ? -difference : difference
  }
  return 0
}
