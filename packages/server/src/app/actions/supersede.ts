import { aspectOf } from '@countermand/contract'
import type { Action } from '../../core/action-shape.ts'
import { isInTheWay } from '../../core/request.ts'
import type { Rooms } from '../rows.ts'

/** What stands is as the last one said: earlier actions about the same that are still open are taken back, and name it. */
export async function supersede({ actions }: Rooms, by: Action, at: Date): Promise<void> {
  const aspect = aspectOf(by.type)
  if (aspect === null) return
  const others = (await actions.liveOf(by.machineId)).filter(
    (other) => other.id !== by.id && aspectOf(other.type) === aspect && isInTheWay(other),
  )
  for (const other of others) {
    const comment = `Superseded by ${by.type} ${by.id}.`
    const named = { by: by.requestor, comment, reason: 'superseded', supersededBy: by.id } as const
    await actions.advance(other, { kind: 'cancel_requested', ...named }, at)
  }
}
