import { sql, type Kysely } from 'kysely'

interface Row {
  readonly id: string
  readonly posture: string
}

/** A device stands in several aspects: what there was is how it is isolated; nobody was ever restricted. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { rows } = await sql<Row>`select id, posture from devices where posture is not null`.execute(db)
  for (const { id, posture } of rows)
    await sql`update devices set posture = ${JSON.stringify(aspectsOf(JSON.parse(posture)))} where id = ${id}`.execute(
      db,
    )
}

/** As 0008 has it. */
interface Before {
  readonly generation: number
  readonly isolation: {
    readonly action: string | null
    readonly type: string
    readonly [more: string]: unknown
  }
  readonly server: readonly string[]
  readonly reported: { readonly isolation: object; readonly [more: string]: unknown } | null
  readonly base: object
  readonly since: number | null
  readonly shown: object
}

function aspectsOf({ generation, isolation, server, reported, base, since, shown }: Before): object {
  const { action, type, ...passage } = isolation
  const free = { action: null, type: 'None' }
  return {
    isolation: {
      ordered: { generation, action, type, passage: { ...passage, server: type === 'None' ? [] : server } },
      base,
      reported: reported && { ...reported, ...reported.isolation, isolation: undefined },
      since,
    },
    restriction: { ordered: { generation: 0, ...free }, base: free, reported: null, since: null },
    shown: {
      isolation: shown,
      restriction: { state: 'NotRestricted', type: null, action: null, since: null, confirmed: true },
    },
  }
}
