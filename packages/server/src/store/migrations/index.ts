import type { Kysely } from 'kysely'
import { Migrator, type Migration } from 'kysely/migration'
import type { Tables } from '../schema.ts'
import * as start from './0001-start.ts'
import * as noIndexOnTheWay from './0002-no-index-on-the-way.ts'
import * as sessionsAndProgress from './0003-sessions-and-progress.ts'
import * as labelsAndSightings from './0005-labels-and-sightings.ts'
import * as administration from './0006-administration.ts'
import * as idempotencyKeys from './0007-idempotency-keys.ts'
import * as posture from './0008-posture.ts'
import * as aspects from './0009-aspects.ts'
import * as offboarded from './0010-offboarded.ts'

/** Forward only; a migration that has been released is never edited. */
const migrations = {
  '0001-start': start,
  '0002-no-index-on-the-way': noIndexOnTheWay,
  '0003-sessions-and-progress': sessionsAndProgress,
  '0005-labels-and-sightings': labelsAndSightings,
  '0006-administration': administration,
  '0007-idempotency-keys': idempotencyKeys,
  '0008-posture': posture,
  '0009-aspects': aspects,
  '0010-offboarded': offboarded,
} as const satisfies Readonly<Record<string, Migration>>

/** Brings a database up to date, or as far as `to`. @throws what the first failing migration threw; what came before it stays. */
export async function migrate(db: Kysely<Tables>, to?: keyof typeof migrations): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve({ ...migrations }) } })
  const { error } = await (to === undefined ? migrator.migrateToLatest() : migrator.migrateTo(to))
  if (error !== undefined) throw error
}
