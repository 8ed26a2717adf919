/** A checked condition as SQL. Names come from `columns.ts`; what a caller wrote is bound, and is never part of the text. */
import { sql, type RawBuilder } from 'kysely'
import type { Condition, FieldType, Match, Operator, Value } from '../../core/odata/tree.ts'
import { readable, type Column, type Columns } from './columns.ts'

type Test = RawBuilder<boolean>

export const never: Test = sql`1 = 0`
const always: Test = sql`1 = 1`
/** The element that `any` looks at. */
const element: Column = sql.ref('element.value')

export function toSql(condition: Condition, columns: Columns): Test {
  switch (condition.kind) {
    case 'and':
      return joined(condition.parts, columns, sql` and `)
    case 'or':
      return joined(condition.parts, columns, sql` or `)
    case 'not':
      return sql`not ${toSql(condition.part, columns)}`
    case 'compare':
      return compare(columns, columnOf(condition, columns), condition)
    case 'in':
      return isIn(columnOf(condition, columns), condition)
    case 'match':
      return match(columns, columnOf(condition, columns), condition)
    case 'any': {
      const list = columnOf(condition, columns)
      const where = condition.where === null ? always : toSql(condition.where, columns)
      const elements = columns.isSqlite
        ? sql`json_each(${list}) as element`
        : sql`json_array_elements_text(${readable(list)}) as element(value)`
      return sql`exists (select 1 from ${elements} where ${where})`
    }
  }
}

const joined = (parts: readonly Condition[], columns: Columns, word: RawBuilder<unknown>): Test =>
  sql`(${sql.join(
    parts.map((part) => toSql(part, columns)),
    word,
  )})`

function columnOf({ field }: { readonly field: string | null }, columns: Columns): Column {
  if (field === null) return element
  const column = columns.of[field]
  if (column === undefined) throw new Error(`no column is known for ${field}`)
  return column
}

/** A value as its field's type: PostgreSQL must not guess, and times may have parts of a millisecond. */
export const bind = (value: string | number, type: FieldType): Column =>
  type === 'number' || type === 'time' ? sql`cast(${value} as double precision)` : sql`cast(${value} as text)`

/** Byte by byte, whatever the database's own language is. */
export const sortable = (columns: Columns, column: Column, type: FieldType): Column =>
  columns.isSqlite || type === 'number' || type === 'time' ? column : sql`${column} collate "C"`

const signs: Readonly<Record<Exclude<Operator, 'eq' | 'ne'>, RawBuilder<unknown>>> = {
  gt: sql`>`,
  ge: sql`>=`,
  lt: sql`<`,
  le: sql`<=`,
}

interface Comparison {
  readonly operator: Operator
  readonly type: FieldType
  readonly value: Value
}

/** Never unknown, so that `not` of it is what `core/odata/evaluate.ts` says. */
export function compare(columns: Columns, column: Column, { operator, type, value }: Comparison): Test {
  if (operator === 'eq')
    return value === null
      ? sql`(${column} is null)`
      : sql`(${column} is not null and ${column} = ${bind(value, type)})`
  if (operator === 'ne')
    return value === null
      ? sql`(${column} is not null)`
      : sql`(${column} is null or ${column} <> ${bind(value, type)})`
  if (value === null) return never
  const sorted = sortable(columns, column, type)
  return sql`(${column} is not null and ${sorted} ${signs[operator]} ${bind(value, type)})`
}

function isIn(
  column: Column,
  { values, type }: { readonly values: readonly Value[]; readonly type: FieldType },
): Test {
  const bound = [...new Set(values)].flatMap((value) => (value === null ? [] : [bind(value, type)]))
  const isNull = values.includes(null)
  if (bound.length === 0) return sql`(${column} is null)`
  const isOne = sql`${column} in (${sql.join(bound)})`
  return isNull ? sql`(${column} is null or ${isOne})` : sql`(${column} is not null and ${isOne})`
}

function match(columns: Columns, column: Column, { how, value }: { how: Match; value: string }): Test {
  // Databases differ in what the last 0 characters of a text are.
  if (value === '') return sql`(${column} is not null)`
  const part = bind(value, 'text')
  const length = sql.lit(Array.from(value).length)
  const { isSqlite } = columns
  switch (how) {
    case 'startswith':
      return sql`(${column} is not null and ${isSqlite ? sql`substr(${column}, 1, ${length})` : sql`left(${column}, ${length})`} = ${part})`
    case 'endswith':
      return sql`(${column} is not null and ${isSqlite ? sql`substr(${column}, -${length})` : sql`right(${column}, ${length})`} = ${part})`
    case 'contains':
      return sql`(${column} is not null and ${isSqlite ? sql`instr(${column}, ${part})` : sql`strpos(${column}, ${part})`} > 0)`
  }
}
