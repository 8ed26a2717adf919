import { actions as types, type Command, type CommandOutcome, type RunScript } from '@countermand/contract'
import type { Action } from '../core/action-shape.ts'
import { Refusal } from '../core/errors.ts'
import { refuseSecond, refuseUnable, scriptsOf } from '../core/request.ts'
import { splitWords } from '../core/shell-words.ts'
import type { App, Rooms } from './ports.ts'

export interface LiveResponseRequest {
  readonly machineId: string
  readonly requestor: string
  readonly comment: string | null
  readonly externalId: string | null
  readonly commands: readonly Command[]
}

/** Issues a live response. Scripts are pinned by their hash here: what the library holds later changes nothing. */
export function requestLiveResponse(app: App, request: LiveResponseRequest): Promise<Action> {
  const now = app.now()
  const id = app.ids.action(now)
  return app.store.write(async (rooms) => {
    const device = await rooms.devices.find(request.machineId)
    if (device === null) throw new Refusal('ResourceNotFound', `Machine ${request.machineId} was not found`)
    refuseUnable(device.capabilities, 'LiveResponse', device.facts?.osPlatform ?? null)
    const scripts = scriptsOf(request.commands, device.capabilities)
    const commands = await Promise.all(scripts.map(({ scriptName, args }) => pinned(rooms, scriptName, args)))
    refuseSecond(await rooms.actions.liveOf(device.id), 'LiveResponse')

    const { reversible } = types.LiveResponse
    return rooms.actions.create(
      {
        id,
        type: 'LiveResponse',
        machineId: device.id,
        computerDnsName: device.name,
        requestor: request.requestor,
        comment: request.comment,
        externalId: request.externalId,
        scope: null,
        reversible,
        runLimitMs: app.runLimitsMs.LiveResponse,
        parameters: { commands },
        createdAt: now,
      },
      commands.map((_, index) => created(index)),
    )
  })
}

async function pinned({ library }: Rooms, scriptName: string, asked: string | null): Promise<RunScript> {
  const entry = await library.find(scriptName)
  if (entry === null)
    throw new Refusal('InvalidInput', `The script ${scriptName} was not found in the library.`)
  const args = [...splitWords(asked ?? '')]
  return { type: 'RunScript', scriptName, sha256: entry.sha256, size: entry.size, args, asked }
}

const created = (index: number): CommandOutcome => ({
  index,
  status: 'Created',
  startedAt: null,
  endedAt: null,
  errors: [],
  result: null,
})
