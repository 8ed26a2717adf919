/** May this be asked of this device now? Everything here is decided before anything is queued. */
import {
  canonical,
  type ActionParameters,
  type ActionType,
  type Capabilities,
  type Command,
} from '@countermand/contract'
import type { Action } from './action-shape.ts'
import { isOpen, isOutstanding } from './action.ts'
import type { Device } from './device.ts'
import { Refusal } from './errors.ts'
import { statusOf } from './status.ts'

/** An action whose cancel is outstanding blocks nobody (`wire.md` 4), nor does one whose time has not come. */
export const isInTheWay = (action: Action): boolean =>
  isOpen(action) && action.phase !== 'scheduled' && !isOutstanding(action.cancel)

/**
 * Of a device's open actions those that are in the way of another one of this type; of a quarantine, those of the same file. An
 * offboarding goes with nothing else.
 */
export const inTheWay = (
  open: readonly Action[],
  { type, parameters }: Pick<Action, 'type' | 'parameters'>,
): readonly Action[] =>
  open.filter(
    (action) =>
      isInTheWay(action) &&
      (type === 'Offboard' ||
        action.type === 'Offboard' ||
        (action.type === type && sha1Of(action.parameters) === sha1Of(parameters))),
  )

const sha1Of = (parameters: ActionParameters): string | null =>
  'sha1' in parameters ? parameters.sha1 : null

/** @throws Refusal ActiveRequestAlreadyExists with the reference's own text, which clients match on. */
export function refuseSecond(others: readonly Action[]): void {
  if (others.length === 0) return
  throw new Refusal('ActiveRequestAlreadyExists', 'Action is already in progress')
}

/** Is just this asked again? Two scripts, or one script with other arguments, are not the same. */
export const isSame = (action: Action, asked: Pick<Action, 'type' | 'scope' | 'parameters'>): boolean =>
  action.type === asked.type &&
  action.scope === asked.scope &&
  canonical(action.parameters) === canonical(asked.parameters)

/** @throws Refusal DisallowedOperation of a device that is out of service, or has left by itself */
export function refuseGone(
  { id, retiredAt, offboardedAt }: Pick<Device, 'id' | 'retiredAt' | 'offboardedAt'>,
  type: ActionType,
): void {
  const how = retiredAt !== null ? 'retired' : offboardedAt !== null ? 'offboarded' : null
  if (how !== null)
    throw new Refusal('DisallowedOperation', `${type} is not possible: machine ${id} was ${how}.`)
}

/** Of these an agent need not say that it can do them: there are some that say nothing of what they have always done. */
const takenForGranted: readonly ActionType[] = [
  'LiveResponse',
  'CollectInvestigationPackage',
  'RunAntiVirusScan',
]

/** @throws Refusal when the device has said that it cannot do this. A device that has said nothing yet is believed able. */
export function refuseUnable(capabilities: Capabilities, type: ActionType, platform: string | null): void {
  const capability = capabilities[type]
  // An agent that does not name what came later could not even read the order.
  const isNamed = takenForGranted.includes(type) || Object.keys(capabilities).length === 0
  if (capability === undefined && !isNamed)
    throw new Refusal('ClientVersionNotSupported', `${type} needs a newer agent on the device.`)
  if (capability === undefined || capability.able) return
  switch (capability.why) {
    case 'platform':
      throw new Refusal(
        'OsPlatformNotSupported',
        `${type} is not supported on ${platform ?? 'this platform'}: ${capability.detail}`,
      )
    case 'missing_tool':
      throw new Refusal(
        'ClientVersionNotSupported',
        `${type} needs a tool that is missing on the device. Install it with: ${capability.detail}`,
      )
    case 'switched_off':
      throw new Refusal('DisallowedOperation', `${type} is switched off on this device: ${capability.detail}`)
    case 'in_use':
      throw new Refusal('DisallowedOperation', `${type} is not possible on this device: ${capability.detail}`)
  }
}

/** @throws Refusal InvalidHashValue for what is not 40 hexadecimal digits. */
export function refuseOtherThanSha1(hash: string): void {
  if (/^[0-9a-f]{40}$/i.test(hash)) return
  throw new Refusal(
    'InvalidHashValue',
    `'${hash.slice(0, 100)}' is not a SHA-1 hash: 40 hexadecimal digits are expected.`,
  )
}

/** One command as it was asked for: right in itself, its files not looked for yet. */
export type RequestedCommand =
  | { readonly type: 'PutFile'; readonly fileName: string }
  /** `args` as asked for; null where they were left out. */
  | { readonly type: 'RunScript'; readonly scriptName: string; readonly args: string | null }
  | { readonly type: 'GetFile'; readonly path: string }

/** The order in which commands must come (`wire.md` 3.1). */
const rank: Readonly<Record<Command['type'], number>> = { PutFile: 0, RunScript: 1, GetFile: 2 }
const keys: Readonly<Record<Command['type'], readonly string[]>> = {
  PutFile: ['FileName'],
  RunScript: ['ScriptName', 'Args'],
  GetFile: ['Path'],
}

/**
 * The commands of a live response request.
 * @throws Refusal MissingRequiredParameter and InvalidInput for what is wrong in itself, ClientVersionNotSupported for what
 * the agent of this device does not do.
 */
export function requestedCommands(
  commands: readonly Command[],
  capabilities: Capabilities,
): readonly RequestedCommand[] {
  const requested = commands.map((command, index) => {
    const earlier = commands[index - 1]
    if (earlier !== undefined && rank[earlier.type] > rank[command.type]) {
      throw new Refusal('InvalidInput', 'Commands must come in this order: PutFile, RunScript, GetFile.')
    }
    return requestedCommand(command, `Commands[${index}]`)
  })
  refuseBeyond(requested, capabilities)
  return requested
}

function refuseBeyond(requested: readonly RequestedCommand[], { LiveResponse }: Capabilities): void {
  const can = LiveResponse?.able ? (LiveResponse.commands ?? ['RunScript']) : ['RunScript']
  const beyond = requested.find(({ type }) => !can.includes(type))
  if (beyond !== undefined) {
    throw new Refusal(
      'ClientVersionNotSupported',
      `${beyond.type} needs a newer agent; the agent on this device runs: ${can.join(', ')}.`,
    )
  }
  // An agent that knows nothing but scripts is one of those that took a single one.
  if (requested.length > 1 && can.every((type) => type === 'RunScript')) {
    throw new Refusal(
      'ClientVersionNotSupported',
      'Several commands in one action need a newer agent; send one RunScript.',
    )
  }
}

function requestedCommand({ type, params }: Command, where: string): RequestedCommand {
  const values = new Map<string, string>()
  for (const { key, value } of params) {
    if (!keys[type].includes(key)) {
      const known = keys[type].join(', ')
      throw new Refusal('InvalidInput', `${where}: ${type} has no parameter ${key}; it takes ${known}.`)
    }
    if (values.has(key)) throw new Refusal('InvalidInput', `${where}: ${key} is given more than once.`)
    values.set(key, value)
  }
  const needed = (name: string): string => {
    const value = values.get(name)
    if (value !== undefined && value !== '') return value
    throw new Refusal('MissingRequiredParameter', `${where}: ${name} is missing.`)
  }
  switch (type) {
    case 'PutFile':
      return { type, fileName: needed('FileName') }
    case 'RunScript':
      return { type, scriptName: needed('ScriptName'), args: values.get('Args') ?? null }
    case 'GetFile':
      return { type, path: absolute(needed('Path'), where) }
  }
}

/** In bytes; Linux opens none that is longer. */
const longestPath = 4096

function absolute(path: string, where: string): string {
  if (!path.startsWith('/'))
    throw new Refusal('InvalidInput', `${where}: Path must be absolute and begin with "/".`)
  if (path.includes('\0')) throw new Refusal('InvalidInput', `${where}: Path has a NUL character in it.`)
  if (new TextEncoder().encode(path).length > longestPath)
    throw new Refusal('InvalidInput', `${where}: Path has more than ${longestPath} bytes.`)
  return path
}

/**
 * @throws Refusal TooManyRequests where as many live responses are open as may be. `open` are those that are in the way of
 * others, up to `most` of them.
 */
export function refuseBeyondSessions(open: readonly Action[], most: number): void {
  if (open.length < most) return
  const waiting = open.filter((action) => statusOf(action) === 'Pending').length
  throw new Refusal(
    'TooManyRequests',
    `${open.length} live responses are open, and no more than ${most} may be at the same time. ${waiting} of them wait for ` +
      'their device (Pending), and count too. Let one end, or cancel one, and ask again.',
    sessionRetrySeconds,
  )
}

/** Nobody knows when one will end; often enough to get the place, and no load. */
const sessionRetrySeconds = 60
