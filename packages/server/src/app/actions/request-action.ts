import {
  actions as types,
  commandsOf,
  longestWaitMs,
  notBegun,
  type ActionParameters,
  type ActionType,
  type CommandOutcome,
} from '@countermand/contract'
import type { Action, Order } from '../../core/action-shape.ts'
import type { Device } from '../../core/device.ts'
import { Refusal } from '../../core/errors.ts'
import { refuseBeyondPlan, refuseSilent, type Policies } from '../../core/policies.ts'
import { inTheWay, isInTheWay, isSame, refuseGone, refuseSecond, refuseUnable } from '../../core/request.ts'
import { onceOf, sameAsBefore } from './once.ts'
import { supersede } from './supersede.ts'
import type { App } from '../ports.ts'
import type { Once, Rooms } from '../rows.ts'

/** Who asks, of which device, and when it is to be done. */
export interface ActionRequest extends Pick<Order, 'notBefore' | 'notAfter' | 'whenOffline'> {
  readonly machineId: string
  /** Client id; a key is its own. */
  readonly caller: string
  readonly requestor: string
  readonly comment: string | null
  readonly externalId: string | null
  /** Null for the limit of its type. */
  readonly runLimitMs: number | null
  /** `Idempotency-Key`. */
  readonly key: string | null
}

/** A request that is in order, as it goes to the database. */
export type Ordered<Request extends ActionRequest> = Request & {
  readonly id: string
  readonly once: Once | null
  readonly repeated: Policies['repeatedAction']
}

/**
 * What can be said before any device is looked at.
 * @throws Refusal DisabledFeature, MissingRequiredParameter
 */
export function ordered<Request extends ActionRequest>(
  app: App,
  type: ActionType,
  request: Request,
): Ordered<Request> {
  const { policies, ids } = app
  const now = app.now()
  refuseBeyondPlan(policies, type)
  refuseSilent(policies, request.comment)
  const once = onceOf(app, request.caller, request.key, { type, ...request })
  return { ...request, id: ids.action(now), once, repeated: policies.repeatedAction }
}

/** @throws Refusal InvalidInput for times that leave none in which it could be begun, or that are too far away */
function refuseUntimely({ notBefore, notAfter }: Pick<Order, 'notBefore' | 'notAfter'>, now: Date): void {
  for (const [name, time] of Object.entries({ notBefore, notAfter })) {
    if (time === null) continue
    if (time.getTime() - now.getTime() > longestWaitMs)
      throw new Refusal('InvalidInput', `countermand.${name} is more than 90 days ahead.`)
  }
  if (notAfter !== null && notAfter <= now)
    throw new Refusal('InvalidInput', 'countermand.notAfter has passed already.')
  if (notAfter !== null && notBefore !== null && notAfter <= notBefore)
    throw new Refusal('InvalidInput', 'countermand.notAfter must be later than countermand.notBefore.')
}

export interface What {
  readonly type: ActionType
  readonly scope: string | null
  readonly runLimitMs: number
  /** What the device is sent; pins down what it refers to. @throws Refusal for what cannot be asked */
  readonly parametersOf: (device: Device) => ActionParameters | Promise<ActionParameters>
  /** Asked last of all. @throws Refusal where there is no room for one more, on whatever device */
  readonly refuseFull?: () => Promise<void>
}

/**
 * Issues an action of any type, if it may be asked of this device now. The same request again, under the same key, answers
 * with the action that it has led to.
 * @throws Refusal InvalidInput, ResourceNotFound, DisallowedOperation, ClientVersionNotSupported and its like, ActiveRequestAlreadyExists, TooManyRequests
 */
export async function issueAction(
  rooms: Rooms,
  request: Ordered<ActionRequest>,
  what: What,
  at: Date,
): Promise<Action> {
  const before = await sameAsBefore(rooms, request.once)
  if (before !== null) return before
  refuseUntimely(request, at)
  const { machineId, once } = request
  const device = await rooms.devices.find(machineId)
  if (device === null) throw new Refusal('ResourceNotFound', `Machine ${machineId} was not found`)
  refuseGone(device, what.type)
  refuseUnable(device.capabilities, what.type, device.facts?.osPlatform ?? null)
  const parameters = await what.parametersOf(device)
  const action =
    (await openOne(rooms, request, { ...what, parameters }, at)) ??
    (await create(rooms, request, { ...what, parameters, device }, at))
  if (once !== null) await rooms.idempotency.keep({ ...once, actionId: action.id }, at)
  return action
}

type Pinned = What & { readonly parameters: ActionParameters }

/**
 * The very same that is under way already, where the tenant wants it answered; it keeps who else has asked.
 * @throws Refusal ActiveRequestAlreadyExists for everything else that is in the way
 */
async function openOne(
  { actions }: Rooms,
  { machineId, repeated, requestor, comment }: Ordered<ActionRequest>,
  what: Pinned,
  at: Date,
): Promise<Action | null> {
  const open = inTheWay(await actions.liveOf(machineId), what)
  const same = repeated === 'open' ? open.find((action) => isSame(action, what)) : undefined
  if (same === undefined) {
    refuseSecond(open)
    return null
  }
  const data = { comment }
  await actions.note(same, { kind: 'action.requested_again', actor: requestor, alarm: false, data }, at)
  return same
}

async function create(
  rooms: Rooms,
  request: Ordered<ActionRequest>,
  { type, scope, runLimitMs, parameters, device, refuseFull }: Pinned & { readonly device: Device },
  at: Date,
): Promise<Action> {
  await refuseFull?.()
  const { actions } = rooms
  const { id, machineId, requestor, comment, externalId, notBefore, notAfter, whenOffline } = request
  const { reversible } = types[type]
  const who = { machineId, computerDnsName: device.name, requestor, comment, externalId, createdAt: at }
  const when = { notBefore, notAfter, whenOffline }
  const order = { id, type, scope, reversible, runLimitMs, parameters, ...who, ...when }
  const action = await actions.create(order, stepsOf(parameters))
  if (isInTheWay(action)) await supersede(rooms, action, at)
  return action
}

/** The steps of an action before any was begun: its commands, or the one that it is. */
export function stepsOf(parameters: ActionParameters): readonly CommandOutcome[] {
  const commands = commandsOf(parameters)
  return commands.length === 0 ? [notBegun(0)] : commands.map((_, index) => notBegun(index))
}
