/** May this be asked of this device now? Everything here is decided before anything is queued. */
import type { ActionType, Capabilities, Command } from '@countermand/contract'
import type { Action } from './action-shape.ts'
import { isOpen, isOutstanding } from './action.ts'
import { Refusal } from './errors.ts'

/** An action whose cancel is outstanding blocks nobody (`wire.md` 4). */
export const isInTheWay = (action: Action): boolean => isOpen(action) && !isOutstanding(action.cancel)

/** @throws Refusal ActiveRequestAlreadyExists with the reference's own text, which clients match on. */
export function refuseSecond(open: readonly Action[], type: ActionType): void {
  if (open.some((action) => action.type === type && isInTheWay(action))) {
    throw new Refusal('ActiveRequestAlreadyExists', 'Action is already in progress')
  }
}

/** @throws Refusal when the device has said that it cannot do this. A device that has said nothing yet is believed able. */
export function refuseUnable(capabilities: Capabilities, type: ActionType, platform: string | null): void {
  const capability = capabilities[type]
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
  }
}

export interface RequestedScript {
  readonly scriptName: string
  /** As asked for; null where they were left out. */
  readonly args: string | null
}

/** The order in which commands must come (`wire.md` 3.1). */
const rank: Readonly<Record<Command['type'], number>> = { PutFile: 0, RunScript: 1, GetFile: 2 }
const keys: Readonly<Record<Command['type'], readonly string[]>> = {
  PutFile: ['FileName'],
  RunScript: ['ScriptName', 'Args'],
  GetFile: ['Path'],
}

/**
 * The scripts of a live response request.
 * @throws Refusal InvalidInput for what is wrong in itself, ClientVersionNotSupported for what no agent does yet.
 */
export function scriptsOf(
  commands: readonly Command[],
  capabilities: Capabilities,
): readonly RequestedScript[] {
  const capability = capabilities.LiveResponse
  const can = capability?.able ? (capability.commands ?? ['RunScript']) : ['RunScript']
  commands.forEach((command, index) => {
    const earlier = commands[index - 1]
    if (earlier !== undefined && rank[earlier.type] > rank[command.type]) {
      throw new Refusal('InvalidInput', 'Commands must come in this order: PutFile, RunScript, GetFile.')
    }
    for (const { key } of command.params) {
      if (!keys[command.type].includes(key)) {
        const known = keys[command.type].join(', ')
        throw new Refusal(
          'InvalidInput',
          `Commands[${index}]: ${command.type} has no parameter ${key}; it takes ${known}.`,
        )
      }
    }
  })
  const beyond = commands.find(({ type }) => !can.includes(type))
  if (beyond !== undefined) {
    throw new Refusal(
      'ClientVersionNotSupported',
      `${beyond.type} needs a newer agent; the agent on this device runs: ${can.join(', ')}.`,
    )
  }
  if (commands.length > 1) {
    throw new Refusal(
      'ClientVersionNotSupported',
      'Several commands in one action need a newer agent; send one RunScript.',
    )
  }
  return commands.map(scriptOf)
}

function scriptOf(command: Command, index: number): RequestedScript {
  const valueOf = (name: string): string | undefined => command.params.find(({ key }) => key === name)?.value
  const scriptName = valueOf('ScriptName')
  if (scriptName === undefined || scriptName === '') {
    throw new Refusal('MissingRequiredParameter', `Commands[${index}]: ScriptName is missing.`)
  }
  return { scriptName, args: valueOf('Args') ?? null }
}
