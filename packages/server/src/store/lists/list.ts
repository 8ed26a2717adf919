import { sql, type Kysely, type RawBuilder, type SelectQueryBuilder } from 'kysely'
import type { Listed, ListQuery, Place } from '../../app/rows.ts'
import type { OrderKey, Value } from '../../core/odata/tree.ts'
import type { Tables } from '../schema.ts'
import type { Columns } from './columns.ts'
import { compare, never, sortable, toSql } from './condition.ts'

interface Listing<Row, Item> {
  readonly query: ListQuery
  readonly columns: Columns
  readonly table: 'actions' | 'devices'
  readonly rows: SelectQueryBuilder<Tables, 'actions' | 'devices' | 'chains', Row>
  readonly to: (row: Row) => Item
}

/** One page, where the next begins, and how many there are in all: of one state, as all that one work looks at. */
export async function list<Row extends { readonly n: number }, Item>(
  db: Kysely<Tables>,
  listing: Listing<Row, Item>,
): Promise<Listed<Item>> {
  const { query, columns, to } = listing
  const count = query.counts ? await countOf(db, listing) : null
  if (query.top === 0) return { items: [], next: null, count }
  let rows = listing.rows
  if (query.filter !== null) rows = rows.where(toSql(query.filter, columns))
  if (query.after !== null) rows = rows.where(isAfter(listing, query.after))
  for (const key of query.order) {
    const { descends } = key
    const sorted = sorting(columns, key)
    rows = rows.orderBy(sorted, (order) => (descends ? order.desc().nullsLast() : order.asc().nullsFirst()))
  }
  const n = sql.ref(`${listing.table}.n`)
  // One more than a page: is there another?
  const page = rows
    .orderBy(n, 'desc')
    .limit(query.top + 1)
    .offset(query.skip)
  const keys = query.order.map((key, index) => columnOf(columns, key).as(`key_${index}`))
  const found = await (keys.length === 0 ? page : page.select(keys)).execute()
  const items = found.slice(0, query.top)
  const last = items.at(-1)
  const next = found.length > query.top && last !== undefined ? placeOf(last, query.order) : null
  return { items: items.map(to), next, count }
}

async function countOf<Row, Item>(
  db: Kysely<Tables>,
  { query, columns, table }: Listing<Row, Item>,
): Promise<number> {
  let rows = db.selectFrom(table).select(sql<number>`count(*)`.as('count'))
  if (query.filter !== null) rows = rows.where(toSql(query.filter, columns))
  return (await rows.executeTakeFirstOrThrow()).count
}

function columnOf(columns: Columns, { field }: OrderKey): RawBuilder<unknown> {
  const column = columns.of[field]
  if (column === undefined) throw new Error(`no column is known for ${field}`)
  return column
}

const sorting = (columns: Columns, key: OrderKey): RawBuilder<unknown> =>
  sortable(columns, columnOf(columns, key), key.type)

function placeOf(row: object & { readonly n: number }, order: readonly OrderKey[]): Place {
  const said = new Map<string, unknown>(Object.entries(row))
  const keys = order.map((_, index): Value => {
    const value = said.get(`key_${index}`)
    return typeof value === 'string' || typeof value === 'number' ? value : null
  })
  return { n: row.n, keys }
}

/** Behind a place: later by one key and the same by all before it; by none later and by all the same, an older one. */
function isAfter<Row, Item>(
  { query, columns, table }: Listing<Row, Item>,
  { n, keys }: Place,
): RawBuilder<boolean> {
  const ways: RawBuilder<boolean>[] = []
  const same: RawBuilder<boolean>[] = []
  for (const [index, key] of query.order.entries()) {
    const value = keys[index] ?? null
    ways.push(sql`(${sql.join([...same, isLater(columns, key, value)], sql` and `)})`)
    same.push(compare(columns, columnOf(columns, key), { operator: 'eq', type: key.type, value }))
  }
  const older: RawBuilder<boolean> = sql`${sql.ref(`${table}.n`)} < cast(${n} as bigint)`
  ways.push(sql`(${sql.join([...same, older], sql` and `)})`)
  return sql`(${sql.join(ways, sql` or `)})`
}

function isLater(columns: Columns, key: OrderKey, value: Value): RawBuilder<boolean> {
  const { type, descends } = key
  const column = columnOf(columns, key)
  if (!descends)
    return value === null
      ? sql`(${column} is not null)`
      : compare(columns, column, { operator: 'gt', type, value })
  if (value === null) return never
  return sql`(${column} is null or ${compare(columns, column, { operator: 'lt', type, value })})`
}
