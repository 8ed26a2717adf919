/** The store over PostgreSQL: each piece of work is a transaction of its own; the database groups their commits itself. */
import type { Kysely } from 'kysely'
import type { Change, Moment, Store } from '../app/ports.ts'
import { killPoint, killPointAfter } from '../kill-points.ts'
import { perform, roomsOf, type Item, type Works } from './rooms.ts'
import type { Tables } from './schema.ts'
import { StaleWrite } from './stale-write.ts'
import { changeOf, isNothing, nothingTouched } from './touched.ts'

export interface PostgresStoreOptions {
  readonly db: Kysely<Tables>
  readonly known: Omit<Moment, 'at'>
  readonly now: () => Date
  readonly works: { readonly reads: Works; readonly writes: Works }
  readonly committed: (change: Change) => void
}

/** More than this many writers in a row being faster is no accident. */
const mostTries = 50

export function openPostgresStore({ db, known, now, works, committed }: PostgresStoreOptions): Store {
  const attempt = async (item: Item): Promise<unknown> => {
    const touched = nothingTouched()
    const value = await db.transaction().execute(async (tx) => {
      const answer = await perform(works.writes, item, roomsOf(tx, touched), known)
      killPoint('batch-uncommitted')
      return answer
    })
    killPointAfter(item.name)
    const change = changeOf(touched)
    if (!isNothing(change)) committed(change)
    return value
  }
  const write = async (item: Item): Promise<unknown> => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt(item)
      } catch (thrown) {
        if (!isOvertaken(thrown) || tries === mostTries) throw thrown
      }
    }
  }
  return {
    read: (name, input) =>
      perform(works.reads, { name, input, at: now() }, roomsOf(db, nothingTouched()), known) as never,
    write: (name, input) => write({ name, input, at: now() }) as never,
    close: () => db.destroy(),
  }
}

/** serialization_failure, deadlock_detected, unique_violation: another writer came between; the work is done anew. */
const overtaken: readonly unknown[] = ['40001', '40P01', '23505']

const isOvertaken = (thrown: unknown): boolean =>
  thrown instanceof StaleWrite ||
  (thrown instanceof Error && 'code' in thrown && overtaken.includes(thrown.code))
