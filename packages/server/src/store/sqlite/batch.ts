/** Work that waits together is done together: one transaction, one sync to disk, however many callers. */
import { CompiledQuery, type Kysely } from 'kysely'
import type { Change } from '../../app/ports.ts'
import type { Moment } from '../../app/rows.ts'
import { killPoint, killPointAfter } from '../../kill-points.ts'
import { execute } from '../dialect.ts'
import { failure, type Result } from '../result.ts'
import { perform, roomsOf, type Item, type Works } from '../rooms.ts'
import type { Tables } from '../schema.ts'
import { addTouched, changeOf, nothingTouched, type Touched } from '../touched.ts'

export interface Done {
  readonly results: readonly Result[]
  readonly change: Change
}

type Known = Omit<Moment, 'at'>

/**
 * Does all items in one transaction. Where one is refused or fails it begins anew, each item behind a savepoint of its own: that one
 * takes back its own rows and nobody else's. The results count only because the commit, on disk, came before them; if it
 * fails, all of them have failed.
 */
export async function writeBatch(
  db: Kysely<Tables>,
  works: Works,
  items: readonly Item[],
  known: Known,
): Promise<Done> {
  const together = (how: typeof guarded): Promise<Done> =>
    db.transaction().execute(async (tx) => {
      const results: Result[] = []
      const touched = nothingTouched()
      const doOne = how({ tx, works, known, touched })
      for (const item of items) {
        results.push(await doOne(item))
        killPoint('batch-uncommitted')
      }
      return { results, change: changeOf(touched) }
    })
  try {
    const done = await together(unguarded).catch(() => together(guarded))
    for (const { name } of items) killPointAfter(name)
    return done
  } catch (thrown) {
    return { results: items.map(() => failure(thrown)), change: changeOf(nothingTouched()) }
  }
}

const savepoint = {
  make: CompiledQuery.raw('savepoint item'),
  keep: CompiledQuery.raw('release savepoint item'),
  takeBack: CompiledQuery.raw('rollback to savepoint item'),
}

interface Around {
  readonly tx: Kysely<Tables>
  readonly works: Works
  readonly known: Known
  readonly touched: Touched
}

type Doing = (item: Item) => Promise<Result>

/** Throws what an item throws: all of them are taken back then. */
function unguarded({ tx, works, known, touched }: Around): Doing {
  const rooms = roomsOf(tx, touched)
  return async (item) => ({ ok: true, value: await perform(works, item, rooms, known) })
}

/** One that is refused or fails takes back its own rows only. */
function guarded(around: Around): Doing {
  const { tx, touched } = around
  return async (item) => {
    const own = nothingTouched()
    await execute(tx, savepoint.make)
    try {
      const result = await unguarded({ ...around, touched: own })(item)
      await execute(tx, savepoint.keep)
      addTouched(touched, own)
      return result
    } catch (thrown) {
      // Where the database has taken back the whole transaction already, the batch has failed, for the first reason.
      await execute(tx, savepoint.takeBack).catch(() => {
        throw thrown
      })
      return failure(thrown)
    }
  }
}

/** Reads together see one state. */
export async function readBatch(
  db: Kysely<Tables>,
  works: Works,
  items: readonly Item[],
  known: Known,
): Promise<Done> {
  const results = await db.transaction().execute(async (tx) => {
    const rooms = roomsOf(tx, nothingTouched())
    const read: Result[] = []
    for (const item of items) {
      read.push(await perform(works, item, rooms, known).then((value) => ({ ok: true, value }), failure))
    }
    return read
  })
  return { results, change: changeOf(nothingTouched()) }
}
