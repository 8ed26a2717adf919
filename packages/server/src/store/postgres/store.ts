/** The store over PostgreSQL: each piece of work is a transaction of its own; the database groups their commits itself. */
import type { Kysely } from 'kysely'
import type { Change, Store } from '../../app/ports.ts'
import type { Moment } from '../../app/rows.ts'
import { Refusal } from '../../core/errors.ts'
import { killPoint, killPointAfter } from '../../kill-points.ts'
import { refusalOf } from '../result.ts'
import { perform, roomsOf, type Item, type Works } from '../rooms.ts'
import type { Tables } from '../schema.ts'
import { StaleWrite } from '../stale-write.ts'
import { changeOf, isNothing, nothingTouched } from '../touched.ts'

export interface PostgresStoreOptions {
  readonly db: Kysely<Tables>
  /** Connections of their own for those who only look: they do not queue behind writers. The store closes both. */
  readonly looking: Kysely<Tables>
  readonly known: Omit<Moment, 'at'>
  readonly now: () => Date
  readonly works: { readonly reads: Works; readonly writes: Works }
  readonly committed: (change: Change) => void
}

/** More than this many writers in a row being faster is no accident. */
const mostTries = 50

export function openPostgresStore(options: PostgresStoreOptions): Store {
  const { db, looking, known, now, works } = options
  const write = openWrites(options)
  const read = (item: Item): Promise<unknown> =>
    oneState(looking)
      .setAccessMode('read only')
      .execute((tx) => perform(works.reads, item, roomsOf(tx, nothingTouched()), known))
      .catch(fail)
  return {
    isShared: true,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the port has paired name, input and answer
    read: (name, input) => read({ name, input, at: now() }) as never,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the port has paired name, input and answer
    write: (name, input) => write({ name, input, at: now() }).catch(fail) as never,
    close: async () => {
      await Promise.all([db.destroy(), looking.destroy()])
    },
  }
}

/**
 * All that a piece of work looks at is of one state. Of two that then write the same row, the second is overtaken, even if
 * it came to that row, or that end of a chain, only after the first had committed: what it looked at before is old.
 */
const oneState = (db: Kysely<Tables>) => db.transaction().setIsolationLevel('repeatable read')

function openWrites({ db, known, works, committed }: PostgresStoreOptions): (item: Item) => Promise<unknown> {
  const attempt = async (item: Item): Promise<unknown> => {
    const touched = nothingTouched()
    const value = await oneState(db).execute(async (tx) => {
      const answer = await perform(works.writes, item, roomsOf(tx, touched), known)
      killPoint('batch-uncommitted')
      return answer
    })
    killPointAfter(item.name)
    const change = changeOf(touched)
    if (!isNothing(change)) committed(change)
    return value
  }
  const attemptAgain = async (item: Item): Promise<unknown> => {
    for (let tries = 2; tries <= mostTries; tries += 1) {
      try {
        return await attempt(item)
      } catch (thrown) {
        if (!isOvertaken(thrown)) throw thrown
      }
    }
    throw new Refusal('ServiceUnavailable', crowded)
  }
  let turn: Promise<unknown> = Promise.resolve()
  return (item) =>
    attempt(item).catch((thrown: unknown) => {
      if (!isOvertaken(thrown)) throw thrown
      // One after the other: those who crowd around one row would go on overtaking each other.
      const done = turn.then(() => attemptAgain(item))
      turn = done.catch(() => undefined)
      return done
    })
}

function fail(thrown: unknown): never {
  throw refusalOf(thrown) ?? thrown
}

const crowded = 'Too many write the same at once. Nothing was stored; try again.'

/** serialization_failure, deadlock_detected: another writer came between; the work is done anew. */
const overtaken: readonly unknown[] = ['40001', '40P01']

const isOvertaken = (thrown: unknown): boolean =>
  thrown instanceof StaleWrite ||
  (thrown instanceof Error && 'code' in thrown && overtaken.includes(thrown.code))
