import type { GoneReason } from '../../core/action-shape.ts'
import type { Rooms } from '../rows.ts'

/** Nothing more will be heard of what the device had (`core/action.ts`, device_gone). */
export async function endActions(
  { actions }: Rooms,
  machineId: string,
  reason: GoneReason,
  at: Date,
): Promise<void> {
  for (const action of await actions.liveOf(machineId)) {
    await actions.advance(action, { kind: 'device_gone', reason }, at)
  }
}
