import {
  actions as types,
  commandsOf,
  notBegun,
  type ActionParameters,
  type ActionType,
  type CommandOutcome,
} from '@countermand/contract'
import type { Action } from '../core/action-shape.ts'
import type { Device } from '../core/device.ts'
import { Refusal } from '../core/errors.ts'
import { refuseRetired, refuseSecond, refuseUnable } from '../core/request.ts'
import type { Rooms } from './ports.ts'

/** Who asks, and of which device. */
export interface ActionRequest {
  readonly machineId: string
  readonly requestor: string
  readonly comment: string | null
  readonly externalId: string | null
}

export interface What {
  readonly id: string
  readonly type: ActionType
  readonly scope: string | null
  readonly runLimitMs: number
  /** What the device is sent; pins down what it refers to. @throws Refusal for what cannot be asked */
  readonly parametersOf: (device: Device) => ActionParameters | Promise<ActionParameters>
  /** Asked last of all. @throws Refusal where there is no room for one more, on whatever device */
  readonly refuseFull?: () => Promise<void>
}

/**
 * Issues an action of any type, if it may be asked of this device now.
 * @throws Refusal ResourceNotFound, DisallowedOperation, ClientVersionNotSupported and its like, ActiveRequestAlreadyExists, TooManyRequests
 */
export async function issueAction(
  rooms: Rooms,
  request: ActionRequest,
  what: What,
  at: Date,
): Promise<Action> {
  const { machineId, requestor, comment, externalId } = request
  const { id, type, scope, runLimitMs } = what
  const device = await rooms.devices.find(machineId)
  if (device === null) throw new Refusal('ResourceNotFound', `Machine ${machineId} was not found`)
  refuseRetired(device, type)
  refuseUnable(device.capabilities, type, device.facts?.osPlatform ?? null)
  const parameters = await what.parametersOf(device)
  refuseSecond(await rooms.actions.liveOf(device.id), type)
  await what.refuseFull?.()
  const { reversible } = types[type]
  const who = { machineId, computerDnsName: device.name, requestor, comment, externalId, createdAt: at }
  return rooms.actions.create(
    { id, type, scope, reversible, runLimitMs, parameters, ...who },
    stepsOf(parameters),
  )
}

/** The steps of an action before any was begun: its commands, or the one that it is. */
export function stepsOf(parameters: ActionParameters): readonly CommandOutcome[] {
  const commands = commandsOf(parameters)
  return commands.length === 0 ? [notBegun(0)] : commands.map((_, index) => notBegun(index))
}
