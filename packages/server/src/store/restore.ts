import type { Kysely } from 'kysely'
import { serverChain } from '../core/chain.ts'
import { roomsOf } from './rooms.ts'
import type { Tables } from './schema.ts'
import { nothingTouched } from './touched.ts'

/**
 * After a backup was put back, and before anything is served: a new epoch, so that devices list everything that they hold,
 * finished actions included; and every queued action, and every one whose time has come since, counts as offered, since an offer may have left after the backup was
 * made and *never offered* would lie. Returns how many those were.
 */
export async function afterRestore(db: Kysely<Tables>, epoch: string, at: Date): Promise<number> {
  return db.transaction().execute(async (tx) => {
    await tx.updateTable('settings').set({ value: epoch }).where('name', '=', 'epoch').execute()
    const { actions, events } = roomsOf(tx, nothingTouched())
    let offered = 0
    for (const action of await actions.open()) {
      const due = await actions.advance(action, { kind: 'released' }, at)
      if (due.phase !== 'queued') continue
      await actions.advance(due, { kind: 'offered' }, at)
      offered += 1
    }
    const data = { epoch, offered }
    await events.append(serverChain, { kind: 'server.restored', actor: null, alarm: true, data }, at)
    return offered
  })
}
