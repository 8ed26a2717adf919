/** Work that no use case does: the store's rows by themselves, and every way to go wrong after something was written. */
import type { CommandOutcome } from '@countermand/contract'
import type { Cause, Rooms } from '../app/rows.ts'
import { reads } from '../app/reads.ts'
import { writes } from '../app/writes.ts'
import type { Action, ActionEvent, Order } from '../core/action-shape.ts'
import type { Device } from '../core/device.ts'
import { Refusal } from '../core/errors.ts'

export type Ending = 'well' | 'refused' | 'failed' | 'for a second time'

export interface Traces {
  readonly device: Device
  /** The chain that it writes to beside the device's own. */
  readonly chain: string
  readonly ending: Ending
}

interface Moved {
  readonly id: string
  readonly event: ActionEvent
  readonly cause?: Cause
}

const note = (kind: string) => ({ kind, actor: null, alarm: true, data: {} })

export const testReads = {
  ...reads,
  openActions: ({ actions }: Rooms) => actions.open(),
  /** The head of a chain, looked at many times. */
  watch: async ({ devices }: Rooms, { chain, times }: { chain: string; times: number }) => {
    const seen: number[] = []
    for (let look = 0; look < times; look += 1) seen.push((await devices.headOf(chain)).sequence)
    return seen
  },
}

export const testWrites = {
  ...writes,
  sessions: ({ actions }: Rooms, most: number) => actions.sessions(most),
  liveOf: ({ actions }: Rooms, machineId: string) => actions.liveOf(machineId),
  makeDevice: ({ devices }: Rooms, device: Device) => devices.create(device),
  makeAction: ({ actions }: Rooms, { order, commands }: { order: Order; commands: CommandOutcome[] }) =>
    actions.create(order, commands),
  move: async ({ actions }: Rooms, { id, event, cause }: Moved, { at }: { at: Date }): Promise<Action> => {
    const before = await actions.find(id)
    if (before === null) throw new Refusal('ResourceNotFound', id)
    return actions.advance(before, event, at, cause)
  },
  append: ({ events }: Rooms, { chain, cause }: { chain: string; cause?: Cause }, { at }: { at: Date }) =>
    events.append(chain, note('test.appended'), at, cause),
  keep: ({ events }: Rooms, { chain, cause }: { chain: string; cause: Cause }, { at }: { at: Date }) =>
    events.keep(chain, cause, at),
  leaveTraces: async (
    { devices, events }: Rooms,
    { device, chain, ending }: Traces,
    { at }: { at: Date },
  ): Promise<string> => {
    await devices.create(device)
    await events.append(device.id, note('test.traced'), at)
    await events.append(chain, note('test.traced'), at)
    switch (ending) {
      case 'well':
        return device.id
      case 'refused':
        throw new Refusal('Conflict', `not ${device.name}`)
      case 'failed':
        throw new Error(`no way for ${device.name}`)
      case 'for a second time':
        await devices.create(device)
        return 'twice'
    }
  },
  /** Ends the thread that it runs in. */
  fall: (_: Rooms, code: number) => process.exit(code),
}

export type TestReads = typeof testReads
export type TestWrites = typeof testWrites
