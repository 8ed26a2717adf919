/** Where the fields of `core/list-fields.ts` lie, as SQL of either database. */
import { SqliteAdapter, sql, type Kysely, type RawBuilder } from 'kysely'
import { inactiveAfterMs } from '../../core/device.ts'
import type { actionFields, deviceFields } from '../../core/list-fields.ts'
import { statusWords } from '../../core/status.ts'
import type { Tables } from '../schema.ts'

export type Column = RawBuilder<unknown>

/** A `word` is here in lower case already; of `texts` it is the JSON. */
export interface Columns {
  readonly isSqlite: boolean
  readonly of: Readonly<Record<string, Column>>
}

const isSqlite = (db: Kysely<Tables>): boolean => db.getExecutor().adapter instanceof SqliteAdapter

export function actionColumns(db: Kysely<Tables>): Columns {
  const spoken = speak(isSqlite(db))
  const { lower, text, number } = spoken
  const asked = sql.ref('actions.asked')
  const state = sql.ref('actions.state')
  const phase = sql.ref('actions.phase')
  const words = Object.entries(statusWords).map(
    ([from, word]) => sql`when ${sql.lit(from)} then ${sql.lit(word.toLowerCase())}`,
  )
  const of: Readonly<Record<keyof typeof actionFields, Column>> = {
    id: sql.ref('actions.id'),
    status: sql`case ${phase} ${sql.join(words, sql` `)} end`,
    machineId: sql.ref('actions.machine_id'),
    type: lower(sql.ref('actions.type')),
    requestor: sql.ref('actions.requestor'),
    creationDateTimeUtc: sql.ref('actions.created_at'),
    computerDnsName: lower(text(asked, 'computerDnsName')),
    requestorComment: text(asked, 'comment'),
    lastUpdateDateTimeUtc: number(state, 'updatedAt'),
    cancellationRequestor: text(state, 'cancel', 'by'),
    cancellationComment: text(state, 'cancel', 'comment'),
    cancellationDateTimeUtc: sql`case when ${phase} = 'cancelled' then ${number(state, 'finishedAt')} end`,
    scope: lower(text(asked, 'scope')),
    externalId: text(asked, 'externalId'),
  }
  return { isSqlite: isSqlite(db), of }
}

/** What we do not know of a device has the value that `http/wire.ts` shows. */
export function deviceColumns(db: Kysely<Tables>, at: Date): Columns {
  const { lower, text, number } = speak(isSqlite(db))
  const posture = sql.ref('devices.posture')
  const facts = sql.ref('devices.facts')
  const seen = sql.ref('devices.last_seen')
  const oldest = at.getTime() - inactiveAfterMs
  const of: Readonly<Record<keyof typeof deviceFields, Column>> = {
    computerDnsName: lower(sql.ref('devices.name')),
    id: sql.ref('devices.id'),
    version: text(facts, 'version'),
    deviceValue: sql`cast('normal' as text)`,
    aadDeviceId: sql`cast(null as text)`,
    machineTags: sql.ref('devices.tags'),
    lastSeen: seen,
    exposureLevel: sql`cast('none' as text)`,
    onboardingStatus: sql`case when ${sql.ref('devices.public_key')} is null or ${sql.ref('devices.key_revoked_at')} is not null or ${sql.ref('devices.retired_at')} is not null or ${sql.ref('devices.offboarded_at')} is not null then 'canbeonboarded' else 'onboarded' end`,
    lastIpAddress: lower(text(facts, 'ipAddresses', 0, 'ipAddress')),
    healthStatus: sql`case when ${seen} is null then 'unknown' when ${sql.ref('devices.offboarded_at')} is not null or ${seen} < cast(${oldest} as bigint) then 'inactive' else 'active' end`,
    osPlatform: lower(text(facts, 'osPlatform')),
    riskScore: sql`cast('none' as text)`,
    rbacGroupId: sql`cast(0 as integer)`,
    'countermand/isolation/state': sql`coalesce(${lower(text(posture, 'shown', 'isolation', 'state'))}, 'notisolated')`,
    'countermand/isolation/type': lower(text(posture, 'shown', 'isolation', 'type')),
    'countermand/isolation/actionId': text(posture, 'shown', 'isolation', 'action'),
    'countermand/isolation/sinceDateTimeUtc': number(posture, 'shown', 'isolation', 'since'),
    'countermand/restriction/state': sql`coalesce(${lower(text(posture, 'shown', 'restriction', 'state'))}, 'notrestricted')`,
    'countermand/restriction/actionId': text(posture, 'shown', 'restriction', 'action'),
    'countermand/restriction/sinceDateTimeUtc': number(posture, 'shown', 'restriction', 'since'),
  }
  return { isSqlite: isSqlite(db), of }
}

type Path = readonly (string | number)[]

/**
 * JSON text as PostgreSQL takes it: it refuses escapes that stand for no character of its own. `JSON.stringify` writes those
 * two kinds only: NUL, and halves of a pair. Comments and what devices say may have them.
 */
export const readable = (json: Column): Column =>
  sql`regexp_replace(${json}, ${sql.lit('\\\\u(0000|d[89a-f][0-9a-f]{2})')}, ${sql.lit('\\\\ufffd')}, 'g')::json`

const pointer = (path: Path): string =>
  path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('')

function speak(toSqlite: boolean) {
  const text = (json: Column, ...path: Path): Column =>
    toSqlite
      ? sql`json_extract(${json}, ${sql.lit(`$${pointer(path)}`)})`
      : sql`(${readable(json)} #>> ${sql.lit(`{${path.join(',')}}`)})`
  return {
    text,
    number: (json: Column, ...path: Path): Column =>
      toSqlite ? text(json, ...path) : sql`(${text(json, ...path)})::bigint`,
    // A–Z only, whatever the database's own language is.
    lower: (column: Column): Column => (toSqlite ? sql`lower(${column})` : sql`lower(${column} collate "C")`),
  }
}
