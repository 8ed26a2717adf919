/** Rows of several tables, each in the order of the same key, side by side: one chain's rows at a time are in memory. */
export class Groups<Row> {
  private readonly rows: AsyncIterator<Row>
  private readonly keyOf: (row: Row) => string
  /** Read and not handed out yet; null at the end, undefined before the first. */
  private next: Row | null | undefined

  constructor(rows: AsyncIterable<Row>, keyOf: (row: Row) => string) {
    this.rows = rows[Symbol.asyncIterator]()
    this.keyOf = keyOf
  }

  /** Of the row that comes next; null at the end. */
  async key(): Promise<string | null> {
    if (this.next === undefined) await this.advance()
    return this.next === null || this.next === undefined ? null : this.keyOf(this.next)
  }

  /** The rows of this key, as far as they have not been taken. */
  async *take(key: string): AsyncGenerator<Row> {
    while ((await this.key()) === key) {
      const row = this.next
      this.next = undefined
      if (row !== null && row !== undefined) yield row
    }
  }

  private async advance(): Promise<void> {
    const { done, value } = await this.rows.next()
    this.next = done === true ? null : value
  }
}

/** The least key that any of them comes to next; null when all are at their end. */
export async function nextKey(groups: readonly { key(): Promise<string | null> }[]): Promise<string | null> {
  const keys: string[] = []
  for (const group of groups) {
    const key = await group.key()
    if (key !== null) keys.push(key)
  }
  return keys.toSorted(byBytes)[0] ?? null
}

/** As the databases compare: by the bytes of UTF-8. */
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

export async function all<Row>(rows: AsyncIterable<Row>): Promise<Row[]> {
  const found: Row[] = []
  for await (const row of rows) found.push(row)
  return found
}
